"""Files that are whole or absent: written beside their place, then renamed into it."""

from __future__ import annotations

import csv
import io
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

from usmt.errors import ConfigError


def check_folder(path: Path) -> None:
    """Raises ConfigError unless files can be written to a folder, which may not exist yet."""
    try:
        nearest = next(each for each in (path.resolve(), *path.resolve().parents) if each.exists())
        if nearest.is_dir():
            with tempfile.TemporaryDirectory(prefix=".usmt-", dir=nearest):
                return
        reason = f"{nearest} is not a folder"
    except OSError as error:
        reason = f"cannot be written to: {error.strerror}"
    raise ConfigError(f"--out {path}: {reason}", hint="Choose another --out.")


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a file that is never seen half written, not even by a process that writes it too;
    makes its folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        fresh.write_bytes(data)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """The same for a text, in UTF-8."""
    write_bytes(path, text.encode())


def whole_lines(path: Path) -> list[bytes]:
    """The lines of a file that is appended to, without one that has no end: it is being written,
    or was at a kill. None of a file that is not there."""
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


def cut_torn_line(path: Path) -> None:
    """Drops a line that has no end: what a kill leaves, and what nothing may be appended to."""
    data = path.read_bytes() if path.exists() else b""
    if data and not data.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(data.rfind(b"\n") + 1)


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """The same for a table."""
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, table.getvalue())
