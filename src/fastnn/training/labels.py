"""Targets that are texts: the Trainer makes class numbers of them, always by the same classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.data.labels import LabelEncoder, are_texts


def encoder_for(data: Any, encoder: LabelEncoder | None) -> LabelEncoder | None:
    """The encoder itself; or a new one of the labels of (x, y) arrays, if they are texts."""
    if encoder is not None or not _has_texts(data):
        return encoder
    return LabelEncoder().fit(data[1])


def encoded(data: Any, encoder: LabelEncoder | None) -> Any:
    """(x, y, ...) with class numbers in place of texts; all other data as they are.

    Raises ValueError for a label that the encoder does not know, and for texts without an encoder.
    """
    if not _has_texts(data):
        return data
    if encoder is None:
        raise ValueError("y has texts, and training had class numbers: encode both by one "
                         "fn.data.LabelEncoder")
    x, y, *rest = data
    return (x, encoder.transform(y), *rest)


def saved(encoder: LabelEncoder | None) -> dict[str, list[str]]:
    """What a checkpoint keeps: the classes, if there are any."""
    return {} if encoder is None else {"classes": encoder.classes_.tolist()}


def restored(classes: Any) -> LabelEncoder | None:
    """The encoder of saved classes; ValueError if they are none."""
    if classes is None:
        return None
    if not isinstance(classes, list) or not classes or not all(
            isinstance(name, str) for name in classes) or sorted(set(classes)) != classes:
        raise ValueError(f"classes are {classes!r:.60}, expected texts in sorted order")
    encoder = LabelEncoder()
    encoder.classes_ = np.array(classes)
    return encoder


def _has_texts(data: Any) -> bool:
    return isinstance(data, tuple) and len(data) > 1 and are_texts(data[1])
