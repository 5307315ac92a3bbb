"""The layer Embedding: a row of its weight for each index."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arguments import array_of, flag, integer, real
from fastnn.nn import init
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter
from fastnn.ops.index_select import embedding
from fastnn.ops.windows import whole_number
from fastnn.spec import ShapeError


class Embedding(Module):
    """A row of `embedding_dim` learned numbers for each index, as torch.nn.Embedding.

    Input: integers of any shape, from 0 to num_embeddings - 1; output: (*shape, embedding_dim).
    weight: (num_embeddings, embedding_dim), normal with variance 1 at first; the row `padding_idx`
    starts as 0 and gets no gradient. max_norm is refused; sparse has no effect.

    >>> Embedding(10, 3)(np.array([[1, 2], [4, 4]])).shape
    (2, 2, 3)
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None,
        max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        self.num_embeddings = whole_number(num_embeddings, "num_embeddings")
        self.embedding_dim = whole_number(embedding_dim, "embedding_dim")
        if max_norm is not None:
            raise ValueError("Embedding: max_norm rewrites the weight during the forward pass, "
                             "which fastnn does not: scale the rows after each step instead")
        self.padding_idx, self.max_norm = None, None
        if padding_idx is not None:
            rows = self.num_embeddings
            self.padding_idx = integer(padding_idx, "padding_idx", f"a row from {-rows} to "
                                       f"{rows - 1}", -rows, rows - 1) % rows
        self.norm_type = real(norm_type, "norm_type")
        self.scale_grad_by_freq = flag(scale_grad_by_freq, "scale_grad_by_freq")
        self.sparse = flag(sparse, "sparse")
        self.weight = Parameter(np.empty((self.num_embeddings, self.embedding_dim), np.float32))
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0

    @classmethod
    def from_pretrained(
        cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None,
        max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """A layer with these rows as its weight; if `freeze`, they are not trained.

        >>> Embedding.from_pretrained(np.eye(3))(np.array([2])).tolist()
        [[0.0, 0.0, 1.0]]
        """
        rows = array_of(embeddings, "embeddings")
        if rows.ndim != 2:
            raise ShapeError(f"from_pretrained: embeddings must be (rows, size), got {rows.shape}")
        layer = cls(rows.shape[0], rows.shape[1], padding_idx, max_norm, norm_type,
                    scale_grad_by_freq, sparse)
        layer.weight.data = rows.astype(np.float32)
        layer.weight.requires_grad = not flag(freeze, "freeze")
        return layer

    def forward(self, input: Any) -> Any:
        return embedding(input, self.weight, self.padding_idx, None, self.norm_type,
                         self.scale_grad_by_freq, self.sparse)

    def extra_repr(self) -> str:
        words = [f"{self.num_embeddings}, {self.embedding_dim}"]
        if self.padding_idx is not None:
            words.append(f"padding_idx={self.padding_idx}")
        if self.scale_grad_by_freq:
            words.append("scale_grad_by_freq=True")
        return ", ".join(words)
