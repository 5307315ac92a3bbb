"""TensorFlow as a peer of the benchmark: a training step in graph mode; see torch_peer.py."""

import os


class Peer:
    """tf.function of the whole step."""

    def __init__(self, threads):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        self.version = f"tensorflow {tf.__version__}"

    def net(self, name, x, y):
        import keras
        import tensorflow as tf
        from tensorflow_nets import create

        x = tf.constant(x.transpose(0, 2, 3, 1) if x.ndim == 4 else x)
        y = tf.constant(y)
        model = create(name, x.shape[1:])
        optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
        optimizer.build(model.trainable_variables)

        @tf.function
        def update(x, y):
            with tf.GradientTape() as tape:
                logits = model(x, training=True)
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
            grads = tape.gradient(loss, model.trainable_variables)
            optimizer.apply(grads, model.trainable_variables)
            return loss

        count = sum(int(tf.size(v)) for v in model.trainable_variables)
        return {"step": lambda: float(update(x, y))}, count

    def op(self, bind):
        raise NotImplementedError("TensorFlow is a peer for training steps only")

    update = op
