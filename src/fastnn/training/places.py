"""Say in which batch an error was met."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastnn.engine.inputs import NonFiniteError


@contextmanager
def at(place: str) -> Iterator[None]:
    """Inside, an error about what is not finite names the place; others get a note of it.

    >>> with at("epoch 1, batch 2"):
    ...     raise NonFiniteError("the loss is nan")
    Traceback (most recent call last):
    fastnn.engine.inputs.NonFiniteError: epoch 1, batch 2: the loss is nan
    """
    try:
        yield
    except FloatingPointError as error:
        raise NonFiniteError(f"{place}: {error}") from error
    except (TypeError, ValueError) as error:
        error.add_note(f"in {place}")
        raise
