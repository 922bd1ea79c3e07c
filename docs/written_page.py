"""For the scripts beside this one: a page that is written from the code, or compared with it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

REFERENCE = Path(__file__).parent / "reference"


def write(page: Path, text: str) -> None:
    """Writes the page. With --check it is only compared; exit code 1 where it is out of date."""
    if "--check" not in sys.argv:
        page.write_text(text, encoding="utf-8")
    elif not page.is_file() or page.read_text(encoding="utf-8") != text:
        sys.exit(f"{page}: out of date; run: python {sys.argv[0]}")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; `|` and line ends in a cell do not break it."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
