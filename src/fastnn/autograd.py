"""Gradients under PyTorch's names: torch.autograd as far as there is one here.

`grad` works on symbolic tensors inside of a forward or a loss, as a gradient penalty needs it.
`fn.grad` and `fn.value_and_grad` give gradients of functions and models of arrays.
"""

from fastnn.context import enable_grad, no_grad, set_grad_enabled
from fastnn.engine.gradcheck import gradcheck
from fastnn.engine.gradgradcheck import gradgradcheck
from fastnn.engine.symbolic_grad import grad
from fastnn.ops.function import Function

__all__ = ["Function", "enable_grad", "grad", "gradcheck", "gradgradcheck", "no_grad",
           "set_grad_enabled"]
