"""What happened in a study, one line an event: so that it can be looked at and gone on with."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from usmt.errors import CheckpointError
from usmt.whole_file import whole_lines

What = Literal["called", "started", "ended", "failed", "pruned", "chosen"]


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        what: a process began to work on the study; a job started, ended well, failed or was
            stopped by pruning; or a unit's run was chosen by the search.
        of: id of the job; of a choice, the name of the unit; of a call, the machine.
        time: seconds since 1970.
        factor: of the learning rates, where it is known.
        run: id of the run that was chosen.
        seconds: that the job took.
        reason: why it failed.
    """

    what: What
    of: str
    time: float
    factor: float | None = None
    run: str = ""
    seconds: float | None = None
    reason: str = ""


_EVENT = TypeAdapter(Event)


class Journal:
    """The file `journal.jsonl` of a study. A line that was being written at a kill is dropped."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Event]:
        """All whole lines. Raises CheckpointError for one that is not of a journal."""
        events = []
        for number, line in enumerate(whole_lines(self.path), start=1):
            try:
                events.append(_EVENT.validate_python(json.loads(line)))
            except (ValueError, ValidationError, RecursionError):
                raise CheckpointError(
                    f"{self.path}:{number}: not a line of a study's journal",
                    hint="Restore the file from a copy: what was chosen is known from it alone.",
                ) from None
        return events

    def append(
        self,
        what: What,
        of: str,
        *,
        factor: float | None = None,
        run: str = "",
        seconds: float | None = None,
        reason: str = "",
    ) -> None:
        event = Event(what, of, round(time.time(), 3), factor, run, seconds, reason)
        with self.path.open("ab") as file:
            file.write(json.dumps(asdict(event), ensure_ascii=False).encode() + b"\n")
