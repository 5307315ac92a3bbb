"""Products of vectors, matrices and batches; einsum."""

import numpy as np

import fastnn as fn
from tests.cases.case import Case


def _matmul(name, a, b):
    return Case(f"matmul {name}", fn.matmul, lambda a, b: a @ b, (a, b))


def _einsum(equation, *shapes):
    return Case(f"einsum {equation}", lambda *inputs: fn.einsum(equation, *inputs),
                lambda *inputs: np.einsum(equation, *inputs), shapes)


def _addmm(x, a, b, beta=1, alpha=1):
    return beta * x + alpha * (a @ b)


def _bilinear(x, z, w, b=0.0):
    return np.einsum("...i,oij,...j->...o", x, w, z) + b


CASES = [
    Case("bmm", fn.bmm, lambda a, b: a @ b, ((6, 5, 7), (6, 7, 3))),
    Case("bmm of one row", fn.bmm, lambda a, b: a @ b, ((9, 1, 33), (9, 33, 17))),
    Case("bmm of itself", lambda x: fn.bmm(x, x.transpose(1, 2)),
         lambda x: x @ x.transpose(0, 2, 1), ((4, 6, 5),)),
    Case("mm", fn.mm, lambda a, b: a @ b, ((5, 7), (7, 3))),
    Case("mv", fn.mv, lambda a, b: a @ b, ((5, 7), (7,))),
    Case("dot", fn.dot, lambda a, b: a @ b, ((19,), (19,))),
    Case("inner", fn.inner, np.inner, ((2, 3, 5), (4, 5))),
    Case("inner of a scalar", fn.inner, np.inner, ((2, 3), ())),
    Case("outer", fn.outer, np.outer, ((5,), (7,))),
    _matmul("of vectors", (7,), (7,)), _matmul("vector matrix", (7,), (7, 3)),
    _matmul("matrix vector", (3, 7), (7,)), _matmul("vector batch", (7,), (4, 7, 3)),
    _matmul("batch vector", (4, 3, 7), (7,)), _matmul("batch matrix", (4, 3, 7), (7, 5)),
    _matmul("matrix batch", (3, 7), (4, 7, 5)), _matmul("batches", (4, 3, 7), (4, 7, 5)),
    _matmul("of rank 4", (2, 3, 4, 5), (2, 3, 5, 6)),
    _matmul("broadcast", (2, 1, 4, 5), (3, 5, 6)),
    _matmul("broadcast both", (2, 1, 4, 5), (1, 3, 5, 2)),
    _matmul("a batch of one", (4, 3, 7), (1, 7, 5)),
    _matmul("one by a batch", (1, 3, 7), (4, 7, 5)),
    _matmul("ranks 4 and 2", (2, 3, 4, 5), (5, 6)), _matmul("ranks 2 and 4", (4, 5), (2, 3, 5, 6)),
    Case("array @ tensor", lambda x: np.ones((2, 5), np.float32) @ x,
         lambda x: np.ones((2, 5)) @ x, ((5, 3),)),
    Case("addmm", fn.addmm, _addmm, ((3,), (5, 7), (7, 3))),
    Case("addmm, beta and alpha", lambda x, a, b: fn.addmm(x, a, b, beta=0.5, alpha=-2),
         lambda x, a, b: _addmm(x, a, b, 0.5, -2), ((5, 3), (5, 7), (7, 3))),
    Case("addmm, beta 0", lambda a, b: fn.addmm(np.full((5, 3), np.nan), a, b, beta=0),
         lambda a, b: a @ b, ((5, 7), (7, 3))),
    Case("baddbmm", fn.baddbmm, _addmm, ((4, 1, 3), (4, 5, 7), (4, 7, 3))),
    Case("addbmm", fn.addbmm, lambda x, a, b: x + (a @ b).sum(0), ((5, 3), (4, 5, 7), (4, 7, 3))),
    Case("addmv", fn.addmv, _addmm, ((5,), (5, 7), (7,))),
    Case("addr", fn.addr, lambda x, a, b: x + np.outer(a, b), ((5, 3), (5,), (3,))),
    _einsum("ij,jk->ik", (3, 4), (4, 5)), _einsum("ij,kj->ik", (3, 4), (5, 4)),
    _einsum("ji,jk->ik", (4, 3), (4, 5)), _einsum("ji,kj->ki", (4, 3), (5, 4)),
    _einsum("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), _einsum("i,i->", (7,), (7,)),
    _einsum("bi,bi->b", (3, 7), (3, 7)), _einsum("i,j->ij", (3,), (4,)),
    _einsum("ij->", (3, 4)), _einsum("ij->ji", (3, 4)), _einsum("ijk->j", (2, 3, 4)),
    _einsum("ij,jk,kl->il", (3, 4), (4, 5), (5, 2)), _einsum("ij,j,jk->k", (3, 4), (4,), (4, 5)),
    _einsum("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)),
    _einsum("bqhd,bkhd->bhqk", (2, 4, 3, 5), (2, 6, 3, 5)),
    _einsum("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)), _einsum("...i->...", (2, 3, 4)),
    _einsum("ii->i", (4, 4)), _einsum("ii->", (4, 4)), _einsum("bii,bi->b", (2, 3, 3), (2, 3)),
    _einsum("iii->i", (3, 3, 3)), _einsum("ij,jk", (3, 4), (4, 5)), _einsum("ba", (3, 4)),
    _einsum("abc,cd,be->aed", (2, 3, 4), (4, 5), (3, 6)),
    Case("tensordot 2", fn.tensordot, np.tensordot, ((2, 3, 4), (3, 4, 5))),
    Case("tensordot of axes", lambda a, b: fn.tensordot(a, b, ([1, 0], [0, 1])),
         lambda a, b: np.tensordot(a, b, ([1, 0], [0, 1])), ((2, 3, 4), (3, 2, 5))),
    Case("tensordot 0", lambda a, b: fn.tensordot(a, b, 0),
         lambda a, b: np.tensordot(a, b, 0), ((2, 3), (4,))),
    Case("bilinear", fn.bilinear, _bilinear, ((6, 3), (6, 4), (5, 3, 4), (5,))),
    Case("bilinear of rank 1", fn.bilinear, _bilinear, ((3,), (4,), (5, 3, 4))),
    Case("bilinear of rank 3", fn.bilinear, _bilinear, ((2, 6, 3), (2, 6, 4), (5, 3, 4), (5,))),
    Case("linear, one output", fn.linear, lambda x, w: x @ w, ((6, 3), (3,))),
    Case("linear, one output and bias", fn.linear, lambda x, w, b: x @ w + b, ((6, 3), (3,), ())),
    Case("linear, a bias for all", fn.linear, lambda x, w, b: x @ w.T + b,
         ((6, 3), (4, 3), (1,))),
    Case("bmm, large", fn.bmm, lambda a, b: a @ b, ((5, 64, 130), (5, 130, 70)),
         tolerance=2e-5, reason="sums of 130 products in float32"),
]
TWINS = {"bmm": lambda a, b: a @ b}
