"""scikit-learn as a peer of the benchmark: MLPClassifier.partial_fit; see torch_peer.py.

It has no option for the number of threads: its BLAS is limited to as many.
"""

HIDDEN = {"mlp": (512, 512), "mlp-small": (46,)}


class Peer:
    """One step of stochastic gradient descent with momentum, without weight decay."""

    def __init__(self, threads):
        import sklearn
        from threadpoolctl import threadpool_limits

        self.limits = threadpool_limits(threads)
        self.version = f"scikit-learn {sklearn.__version__}"

    def net(self, name, x, y):
        from sklearn.neural_network import MLPClassifier

        if name not in HIDDEN:
            raise NotImplementedError(f"scikit-learn trains MLPs only, not {name}")
        x = x.reshape(len(x), -1)
        model = MLPClassifier(HIDDEN[name], solver="sgd", learning_rate_init=0.01, momentum=0.9,
                              nesterovs_momentum=False, alpha=0.0, batch_size=len(x))
        model.partial_fit(x, y, classes=range(10))

        def step():
            model.partial_fit(x, y)
            return model.loss_

        return {"step": step}, sum(w.size for w in (*model.coefs_, *model.intercepts_))

    def op(self, bind):
        raise NotImplementedError("scikit-learn is a peer for training steps only")

    update = op
