"""Operations, one file each. Importing this package gives tensors their operators and methods."""

from importlib import import_module
from pkgutil import iter_modules

from fastnn.operators import OPERATORS
from fastnn.ops import compare
from fastnn.ops.as_float import as_float
from fastnn.ops.slice import getitem
from fastnn.ops.where import where_method

for _module in sorted(module.name for module in iter_modules(__path__, f"{__name__}.")):
    if _module != f"{__name__}.names":  # which imports all others
        import_module(_module)

OPERATORS.update(
    and_=compare.and_,
    or_=compare.or_,
    xor=compare.xor,
    not_=compare.not_,
    getitem=getitem,
    where=where_method,
    float=as_float,
)
