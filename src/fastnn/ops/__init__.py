"""Operations, one file each. Importing this package gives tensors their operators and methods."""

from importlib import import_module
from pkgutil import iter_modules

from fastnn.operators import OPERATORS
from fastnn.ops import binary, compare
from fastnn.ops.as_float import as_float
from fastnn.ops.slice import getitem

for _module in sorted(module.name for module in iter_modules(__path__, f"{__name__}.")):
    if _module != f"{__name__}.names":  # which imports all others
        import_module(_module)

OPERATORS.update(
    and_=compare.logical_and,
    or_=compare.logical_or,
    xor=compare.logical_xor,
    not_=compare.logical_not,
    neg=lambda a: binary.affine(a, -1.0),
    getitem=getitem,
    float=as_float,
)
