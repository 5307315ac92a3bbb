"""Files of an evaluation: JSON, and tables as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastnn.files.write import replacing


def write_json(path: Path, content: Any) -> None:
    """Write JSON, all or nothing."""
    with replacing(path) as stream:
        stream.write(json.dumps(content, indent=1).encode() + b"\n")


def write_table(path: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write CSV, all or nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    with replacing(path) as stream:
        stream.write(text.getvalue().encode())
