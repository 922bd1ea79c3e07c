"""The pictures of the documentation are those that docs/draw_pictures.py draws."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
SCRIPT = DOCS / "draw_pictures.py"


def drawn(folder: Path, *names: str) -> dict[str, bytes]:
    command = [sys.executable, str(SCRIPT), *names, "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_diagrams_are_drawn_and_the_same_each_time(tmp_path: Path) -> None:
    names = ("paradigms", "split", "intervals", "coordinates")
    first = drawn(tmp_path / "first", *names)
    files = {"paradigms.svg", "split_by_source.svg", "intervals.svg", "coordinates.svg"}
    assert set(first) == files
    assert set(first) < {path.name for path in (DOCS / "images").iterdir()}
    assert drawn(tmp_path / "again", *names) == first


def test_the_script_draws_every_picture() -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    for picture in (DOCS / "images").iterdir():
        assert f'"{picture.name}"' in source


def test_a_name_that_is_no_picture_is_an_error() -> None:
    command = [sys.executable, str(SCRIPT), "matrix"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "no picture is called matrix" in done.stderr
