"""What people write out of habit from PyTorch and NumPy, and what to write here instead.

Error messages for attributes that a tensor, module, optimizer or loss does not have come from here.
"""

from __future__ import annotations

from typing import Any

FORWARD = "forward runs once for each input shape, on symbolic tensors without values"
TRAINING = ("TrainStep(model, loss, optimizer)(x, y) makes the forward pass, the backward pass and "
            "the update in one call; value_and_grad(model, loss)(x, y) returns the loss and its "
            "gradients, for optimizer.step(grads)")
NO_GRADIENTS = ("optimizer.step() needs gradients, which no parameter holds here: "
                "TrainStep(model, loss, optimizer)(x, y) makes the forward pass, the backward pass "
                "and the update in one call; or write loss, grads = value_and_grad(model, loss)"
                "(x, y) and optimizer.step(grads)")
_VALUES = f"{FORWARD}; return the tensor from forward, and read the array that the call gives"
_PLACE = "fastnn computes on the CPU, in float32; leave the call out"
_INSIDE = ("inside of a forward or a loss, fn.autograd.grad(y.sum(), x, create_graph=True) gives "
           "gradients as tensors")
_WRITE = ("tensors are never written to; compute a new one: fn.where(mask, value, x), or fn.cat of "
          "its parts")

HABITS: dict[str, str] = {
    **dict.fromkeys(("item", "tolist", "numpy"), _VALUES),
    **dict.fromkeys(("to", "cuda", "cpu", "device", "half", "double", "bfloat16", "type",
                     "pin_memory"), _PLACE),
    **dict.fromkeys(("backward", "grad", "zero_grad", "retain_grad", "register_hook", "grad_fn"),
                    f"{TRAINING}; {_INSIDE}"),
    **dict.fromkeys(("add_", "sub_", "mul_", "div_", "zero_", "fill_", "copy_", "clamp_",
                     "relu_", "masked_fill_", "index_fill_", "scatter_"), _WRITE),
    "data": _VALUES,
    "requires_grad": "parameters have it; a value in forward has a gradient where it needs one",
    "requires_grad_": "parameters and modules have it; freeze those. fn.autograd.grad takes any "
                      "tensor, leave it out",
    "astype": "write x.float() for float32",
    "int": "class numbers come in as integer arrays: y.astype(np.int64) before the call",
    "float": _PLACE,
    "nonzero": "(x > 0).sum() counts what is above 0",
    **dict.fromkeys(("silu", "gelu", "softplus", "leaky_relu", "elu"),
                    "it is a function here, fn.silu(x) and the like"),
}

_HOOK = ("register_forward_hook and register_forward_pre_hook read values, as arrays; "
         "value_and_grad(model, loss)(x, y) returns gradients, fn.grad(f)(x) those of an input")
OF_MODULES: dict[str, str] = {
    **HABITS,
    **dict.fromkeys(("register_backward_hook", "register_full_backward_hook",
                     "register_full_backward_pre_hook", "register_state_dict_pre_hook",
                     "register_load_state_dict_post_hook"), _HOOK),
    **dict.fromkeys(("share_memory", "compile"), "a model needs none of it; leave the call out"),
}


def habit(owner: str, name: str, known: Any = HABITS) -> str:
    """The message of an AttributeError for `name`, with what to write instead if that is known.

    >>> habit("a symbolic tensor", "shapes")
    "a symbolic tensor has no attribute 'shapes'"
    """
    said = known.get(name)
    return f"{owner} has no attribute {name!r}" + (f": {said}" if said else "")
