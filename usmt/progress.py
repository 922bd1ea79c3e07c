"""How far something has come: a live bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

PLAIN_INTERVAL = 10.0
"""Seconds between two lines of progress where there is no terminal."""


class Bar(Protocol):
    """What `Output.progress` yields."""

    def advance(self, n: int = 1) -> None:
        """`n` more steps are done."""

    def update(self, *, description: str) -> None:
        """What is being done now."""


class RichBar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self, n: int = 1) -> None:
        self._progress.advance(self._task, n)

    def update(self, *, description: str) -> None:
        self._progress.update(self._task, description=description)


class PlainBar:
    """Says where it is at the start, every `PLAIN_INTERVAL` seconds, and at the end; a brief one
    only in between."""

    def __init__(
        self, description: str, total: int | None, stream: TextIO, *, brief: bool = False
    ) -> None:
        self._description, self._total, self._stream = description, total, stream
        self._brief = brief
        self._done = 0
        self._started = self._said = monotonic()
        if not brief:
            self._line(f"0 of {total}" if total is not None else "started")

    def advance(self, n: int = 1) -> None:
        self._done += n
        now = monotonic()
        if now - self._said < PLAIN_INTERVAL:
            return
        self._said = now
        rate = self._done / (now - self._started)
        if self._total is None:
            self._line(f"{self._done}, {rate:.1f}/s")
        else:
            left = (self._total - self._done) / rate if rate else 0
            self._line(f"{self._done} of {self._total}, {rate:.1f}/s, {_duration(left)} left")

    def update(self, *, description: str) -> None:
        self._description = description

    def end(self) -> None:
        if self._brief:
            return
        of = f" of {self._total}" if self._total is not None else ""
        done = f"{self._done}{of}" if of or self._done else "done"
        self._line(f"{done} in {_duration(monotonic() - self._started)}")

    def _line(self, text: str) -> None:
        self._stream.write(f"{self._description}: {text}\n")
        self._stream.flush()


def live_progress(console: Console, redirect_stdout: bool) -> Progress:
    """A progress display on stderr. What others print on a terminal's stdout meanwhile is put
    above the bar; a pipe on stdout is left alone."""
    from rich import progress as rich

    class Rate(rich.ProgressColumn):
        def render(self, task: rich.Task) -> str:
            speed = task.finished_speed or task.speed
            return f"{speed:.1f}/s" if speed else ""

    return rich.Progress(
        rich.TextColumn("{task.description}", markup=False),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        Rate(),
        rich.TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
        redirect_stdout=redirect_stdout,
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
