"""JAX as a peer of the benchmark: one jitted training step; see torch_peer.py.

The number of threads is that of the processors the process may use: it is bound to as many.
"""

import os

if hasattr(os, "sched_setaffinity"):  # before XLA counts the processors
    _PROCESSORS = sorted(os.sched_getaffinity(0))


class Peer:
    """jax.jit of the whole step; the old parameters' memory is given to the new ones."""

    def __init__(self, threads):
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, _PROCESSORS[:threads])
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        import jax

        self.version = f"jax {jax.__version__}"

    def net(self, name, x, y):
        import jax
        import jax.numpy as jnp
        from jax_nets import NETS, Scope

        forward, rate, momentum = NETS[name], 0.01, 0.9
        x = jnp.asarray(x.transpose(0, 2, 3, 1) if x.ndim == 4 else x)
        y = jnp.asarray(y, jnp.int32)
        first = Scope()
        forward(first, x)

        def loss_of(parameters, statistics, x, y):
            scope = Scope(parameters, statistics)
            log_p = jax.nn.log_softmax(forward(scope, x))
            return -jnp.take_along_axis(log_p, y[:, None], 1).mean(), scope.new_statistics

        def update(parameters, velocity, statistics, x, y):
            (loss, statistics), grads = jax.value_and_grad(loss_of, has_aux=True)(
                parameters, statistics, x, y)
            velocity = [momentum * v + g for v, g in zip(velocity, grads, strict=True)]
            parameters = [p - rate * v for p, v in zip(parameters, velocity, strict=True)]
            return parameters, velocity, statistics, loss

        jitted = jax.jit(update, donate_argnums=(0, 1, 2))
        state = (first.parameters, [jnp.zeros_like(p) for p in first.parameters],
                 first.statistics)

        def step():
            nonlocal state
            *state, loss = jitted(*state, x, y)
            return float(loss)

        return {"step": step}, sum(p.size for p in first.parameters)

    def op(self, bind):
        raise NotImplementedError("JAX is a peer for training steps only")

    update = op
