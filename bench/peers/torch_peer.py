"""PyTorch as a peer of the benchmark; `fastnn.bench.serve` loads it in a process of its own."""

from inspect import signature

import torch
from torch.nn import functional
from torch_nets import TWINS
from torchvision_models import load

LEARNING_RATE, MOMENTUM = 0.01, 0.9


CLASSES = 10
ARGUMENTS = {"googlenet": {"aux_logits": False, "init_weights": False}}  # of torchvision's


def _net(name):
    """A net of `torch_nets`, or else torchvision's."""
    if name in TWINS:
        return TWINS[name]()
    return getattr(load(), name)(num_classes=CLASSES, **ARGUMENTS.get(name, {}))


def _copied(name):
    """A method that gives a view in PyTorch and a tensor of its own in fastnn: with the copy."""
    return lambda x, *rest: getattr(x, name)(*rest).clone(memory_format=torch.contiguous_format)


def _own(grad):
    """A gradient as backward() leaves it with a parameter: a view of another one is copied."""
    images = grad.ndim == 4 and grad.is_contiguous(memory_format=torch.channels_last)
    return grad if images or grad.is_contiguous() else grad.contiguous()


ALIASES = {
    "add_n": lambda tensors: sum(tensors[1:], tensors[0]),
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "affine": lambda x, scale, shift: x * scale + shift,
    "power": lambda x, exponent: torch.pow(x, exponent),
    **{f".{name}": _copied(name) for name in ("permute", "expand", "__getitem__")},
}


def find(name):
    """A function of PyTorch by fastnn's name, which is PyTorch's but for a few."""
    if name in ALIASES:
        return ALIASES[name]
    if name.startswith("."):
        return lambda x, *rest, **arguments: getattr(x, name[1:])(*rest, **arguments)
    return getattr(functional, name, None) or getattr(torch, name)


class Peer:
    """One mode of PyTorch: eager in its own layout unless the options say otherwise."""

    def __init__(self, threads, channels_last=False, compile=False, tuned=False, bf16=False):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.version = f"torch {torch.__version__}"
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.compile, self.tuned, self.bf16 = compile, tuned, bf16

    def net(self, name, x, y):
        model = _net(name).to(memory_format=self.format)
        x, y = self._stored(x), torch.from_numpy(y)
        optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM,
                                    fused=self.tuned or None)
        criterion = torch.nn.CrossEntropyLoss()

        def loss_of(x, y):
            return criterion(model(x), y)

        if self.compile:
            loss_of = torch.compile(loss_of)

        def step():
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
                loss = loss_of(x, y)
            loss.backward()
            optimizer.step()
            return loss.item()

        return {"step": step}, sum(p.numel() for p in model.parameters())

    def inference(self, name, x):
        dtype = torch.bfloat16 if self.bf16 else torch.float32
        model = _net(name).eval().to(dtype=dtype, memory_format=self.format)
        x = self._stored(x).to(dtype)
        count = sum(p.numel() for p in model.parameters())
        if self.compile:
            from torch._inductor import config

            config.freezing = self.tuned  # weights become constants, stored as kernels read them
            model = torch.compile(model)

        @torch.inference_mode()
        def call():
            return model(x)

        return {"inference": call}, count

    def op(self, bind):
        wanted = []

        def make(array, gradient):
            tensor = self._stored(array)
            if gradient:
                wanted.append(tensor.requires_grad_())
            return tensor

        run = bind(find, make)
        output = run()
        upstream = torch.randn_like(output)

        def forward():
            nonlocal output
            output = run()

        def backward():
            for grad in torch.autograd.grad(output, wanted, upstream):
                _own(grad)

        return {"forward": forward, "backward": backward} if wanted else {"forward": forward}

    def update(self, name, arrays, arguments):
        parameters = [torch.nn.Parameter(self._stored(array)) for array in arrays]
        for parameter in parameters:
            parameter.grad = parameter.detach().clone()
        kind = getattr(torch.optim, name)
        one_pass = {"fused": True} if "fused" in signature(kind).parameters else {}
        return {"update": kind(parameters, **one_pass, **arguments).step}

    def _stored(self, array):
        tensor = torch.from_numpy(array)
        return tensor.contiguous(memory_format=self.format) if tensor.ndim == 4 else tensor
