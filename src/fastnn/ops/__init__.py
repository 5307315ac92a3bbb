"""Operations, one file each. Importing this gives tensors their operators and methods."""

from fastnn.graph import OPERATORS
from fastnn.ops import binary, permute, pointwise, reduce, reshape
from fastnn.ops.expand import expand
from fastnn.ops.linear import matmul
from fastnn.ops.slice import getitem

FUNCTIONS = pointwise.FUNCTIONS
OPERATORS.update(
    add=binary.add,
    sub=binary.sub,
    mul=binary.mul,
    div=binary.div,
    radd=binary.add,
    rsub=lambda a, b: binary.sub(b, a),
    rmul=binary.mul,
    rdiv=lambda a, b: binary.div(b, a),
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
    **pointwise.FUNCTIONS,
)
