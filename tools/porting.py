"""Put the scripts of examples/ into docs/porting.md, behind the comments that name them.

python -m tools.porting
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/porting.md"
BLOCK = re.compile(r"(<!-- (examples/\w+\.py) -->\n)```python\n.*?```\n", re.DOTALL)


def current(page: str) -> str:
    """The page with each script as it is now.

    >>> current("<!-- examples/gan.py -->\\n```python\\nold\\n```\\n").count("import fastnn as fn")
    1
    """
    return BLOCK.sub(lambda found: f"{found[1]}```python\n{(ROOT / found[2]).read_text()}```\n",
                     page)


if __name__ == "__main__":
    PAGE.write_text(current(PAGE.read_text()))
