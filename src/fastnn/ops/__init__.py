"""Operations, one file each. Importing this package gives tensors their operators and methods."""

from fastnn.operators import OPERATORS
from fastnn.ops import binary, compare, permute, pointwise, reduce, reshape
from fastnn.ops.as_float import as_float
from fastnn.ops.detach import detach
from fastnn.ops.expand import expand
from fastnn.ops.linear import matmul
from fastnn.ops.slice import getitem

FUNCTIONS = pointwise.FUNCTIONS
OPERATORS.update(
    add=binary.add,
    sub=binary.sub,
    mul=binary.mul,
    div=binary.div,
    eq=compare.eq,
    ne=compare.ne,
    lt=compare.lt,
    le=compare.le,
    gt=compare.gt,
    ge=compare.ge,
    and_=compare.logical_and,
    or_=compare.logical_or,
    xor=compare.logical_xor,
    not_=compare.logical_not,
    neg=lambda a: binary.affine(a, -1.0),
    pow=binary.pow,
    matmul=matmul,
    getitem=getitem,
    reshape=reshape.reshape,
    flatten=reshape.flatten,
    sum=reduce.sum,
    mean=reduce.mean,
    permute=permute.permute,
    transpose=permute.transpose,
    expand=expand,
    detach=detach,
    float=as_float,
    **pointwise.FUNCTIONS,
)
