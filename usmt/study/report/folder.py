"""The folder of a report: written beside its place, then put there as a whole."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from usmt.errors import ConfigError
from usmt.output import Output
from usmt.study.findings import Findings
from usmt.study.report.drawing import Picture, drawn
from usmt.study.report.page import as_html, as_markdown
from usmt.study.report.sections import Section, files, sections

CONTENTS = {"index.html", "report.md", "tables", "figures"}


def write_report(findings: Findings, folder: Path, output: Output) -> Path:
    """Writes a study's report and returns its page.

    The folder holds `index.html`, which needs no other file, `report.md`, `tables/*.csv` and
    `figures/*.svg` and `*.png`. A report that was there is replaced as a whole. The same findings
    give the same bytes.

    Raises:
        ConfigError: the folder holds other things than a report, or cannot be written.
    """
    folder = folder.resolve()
    _check(folder)
    said = sections(findings)
    mark = secrets.token_hex(8)
    fresh = folder.with_name(f".{folder.name}.{mark}.new")
    old = folder.with_name(f".{folder.name}.{mark}.old")
    try:
        fresh.mkdir(parents=True)
        _write(findings, said, fresh, output)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    except OSError as error:
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise ConfigError(
            f"the report cannot be written to {folder}: {error.strerror}",
            hint="Choose another folder, or make room.",
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return folder / "index.html"


def _check(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file, not a folder", hint="Choose another folder.")
    others = sorted({each.name for each in folder.iterdir()} - CONTENTS) if folder.exists() else []
    if others:
        raise ConfigError(
            f"{folder} holds other things than a report, e.g. {others[0]}",
            hint="A report takes the place of the whole folder: choose a new one.",
        )


def _write(findings: Findings, said: list[Section], folder: Path, output: Output) -> None:
    drawings = [drawing for each in said for figure in each.drawn() for drawing in figure.drawings]
    pictures: dict[str, Picture] = {}
    (folder / "figures").mkdir()
    with output.progress("figures", len(drawings)) as bar:
        for drawing in drawings:
            picture = pictures[drawing.name] = drawn(drawing)
            (folder / "figures" / f"{drawing.name}.svg").write_bytes(picture.svg)
            (folder / "figures" / f"{drawing.name}.png").write_bytes(picture.png)
            bar.advance()
    for table in [*files(findings), *(table for each in said for table in each.filled())]:
        table.write(folder / "tables" / f"{table.name}.csv")
    (folder / "index.html").write_bytes(as_html(findings, said, pictures).encode())
    (folder / "report.md").write_bytes(as_markdown(findings, said).encode())
