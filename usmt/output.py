"""Where everything that usmt says goes: tables or JSON on stdout, the rest on stderr.

An `Output` is made once by the command line and passed down. On a terminal it draws tables and
bars in colour (`NO_COLOR` is honoured); piped, it writes plain aligned text and cuts nothing.
"""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from usmt.errors import UsmtError
from usmt.progress import Bar, PlainBar, RichBar, live_progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


class Output:
    """One sink for a command.

    Args:
        json: `data` is written as JSON on stdout and nothing else is; tables and text are left out.
        stdout, stderr: where to write; by default the process's own.
    """

    def __init__(
        self, *, json: bool = False, stdout: TextIO | None = None, stderr: TextIO | None = None
    ) -> None:
        self.json = json
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        self._progress: Progress | None = None
        self._bars = 0

    @classmethod
    def silent(cls) -> Output:
        """An output that says nothing, for all but the main process of a distributed run."""
        return cls(stdout=_Nowhere(), stderr=_Nowhere())

    # -- data, on stdout

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        note: str | None = None,
    ) -> None:
        """A table for people; `note` is said below it, on stderr."""
        if self.json:
            return
        cells = [[shown(value) for value in row] for row in rows]
        right = [_numeric([row[i] for row in rows]) for i in range(len(columns))]
        if self._stdout.isatty():
            self._draw_table(title, columns, cells, right)
        else:
            self._stdout.write(_plain_table(title, columns, cells, right))
        if note:
            self.note(note)

    def data(self, obj: object) -> None:
        """The whole answer of a command as one JSON document, in JSON mode only.

        NaN and infinities, which JSON does not have, become null.
        """
        if self.json:
            text = json.dumps(jsonable(obj), indent=2, ensure_ascii=False, allow_nan=False)
            self._stdout.write(text + "\n")

    def text(self, text: str) -> None:
        """A line of the answer, for people."""
        if self.json:
            return
        if self._progress is not None and self._stdout.isatty():
            self._say(self._progress.console, text)
        else:
            self._stdout.write(text + "\n")

    # -- the rest, on stderr

    def note(self, text: str) -> None:
        self._remark(text, "dim")

    def warning(self, text: str) -> None:
        self._remark(f"warning: {text}", "yellow")

    def error(self, error: UsmtError) -> None:
        self._remark(f"error: {error}", "red")

    @contextmanager
    def progress(self, description: str, total: int | None) -> Iterator[Bar]:
        """A bar with rate and time left on a terminal; else a line now and then.

        Bars may be nested: an inner one goes when it is done, and without a terminal speaks only
        while it is slow. In JSON mode only a terminal shows them.
        """
        inner = self._bars > 0
        self._bars += 1
        try:
            if self._stderr.isatty():
                with self._rich_progress() as progress:
                    task = progress.add_task(description, total=total)
                    try:
                        yield RichBar(progress, task)
                    finally:
                        (progress.remove_task if inner else progress.stop_task)(task)
            else:
                stream = _Nowhere() if self.json else self._stderr
                bar = PlainBar(description, total, stream, brief=inner)
                try:
                    yield bar
                finally:
                    bar.end()
        finally:
            self._bars -= 1

    # -- terminals

    def _remark(self, text: str, style: str) -> None:
        self._stdout.flush()
        if self._stderr.isatty():
            console = self._progress.console if self._progress else _console(self._stderr)
            self._say(console, text, style)
        else:
            self._stderr.write(text + "\n")
            self._stderr.flush()

    @staticmethod
    def _say(console: Console, text: str, style: str = "") -> None:
        from rich.text import Text

        console.print(Text(text, style), soft_wrap=True)

    def _draw_table(
        self, title: str, columns: Sequence[str], cells: list[list[str]], right: list[bool]
    ) -> None:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(title=Text(title, "bold") if title else None, box=box.ROUNDED)
        table.title_justify = "left"
        for i, (column, to_right) in enumerate(zip(columns, right, strict=True)):
            table.add_column(
                Text(column),
                justify="right" if to_right else "left",
                no_wrap=to_right,
                overflow="fold",
                style="cyan" if i == 0 else None,
            )
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        (self._progress.console if self._progress else _console(self._stdout)).print(table)

    @contextmanager
    def _rich_progress(self) -> Iterator[Progress]:
        """The one live display: an inner bar joins the outer one's."""
        if self._progress is not None:
            yield self._progress
            return
        with live_progress(_console(self._stderr), self._stdout.isatty()) as progress:
            self._progress = progress
            try:
                yield progress
            finally:
                self._progress = None


class _Nowhere(io.TextIOBase, TextIO):
    """Swallows what is written."""

    def write(self, text: str) -> int:
        return len(text)


def shown(value: object) -> str:
    """A value as people read it: nothing as `-`, lists joined, floats to four digits."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}" if 1000 <= abs(value) < math.inf else f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {shown(item)}" for key, item in value.items()) or "-"
    if isinstance(value, list | tuple | AbstractSet):
        return ", ".join(shown(item) for item in value) or "-"
    return str(value) or "-"


def _numeric(values: Sequence[object]) -> bool:
    return any(isinstance(value, int | float) for value in values) and all(
        value is None or isinstance(value, int | float) for value in values
    )


def _plain_table(
    title: str, columns: Sequence[str], cells: list[list[str]], right: list[bool]
) -> str:
    lines = [list(columns), *([cell.replace("\n", "; ") for cell in row] for row in cells)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    text = f"{title}\n" if title else ""
    for line in lines:
        padded = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        )
        text += "  ".join(padded).rstrip() + "\n"
    return text


def jsonable(value: Any) -> Any:
    """A value as JSON has it: NaN and infinities become None, sets sorted lists, arrays lists."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, AbstractSet):
        return sorted(jsonable(item) for item in value)
    if hasattr(value, "tolist"):  # a numpy scalar or array
        return jsonable(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    return str(value)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    return Console(file=stream)
