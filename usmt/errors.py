"""What can go wrong, said for people.

Every error that a user can cause is a `UsmtError`: the command line prints its text on stderr and
exits with 1, without a traceback. Anything else that escapes is a defect of usmt and exits with 2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal


class UsmtError(Exception):
    """An error with a way out.

    Args:
        message: what went wrong and where.
        hint: what to do about it, in one sentence.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class SpecError(UsmtError):
    """One or more task specs or groups are wrong; the message lists all of them."""


class ConfigError(UsmtError):
    """A setting is unknown or out of range."""


class PluginError(UsmtError):
    """A plugin that the command needs could not be used."""


class WeightsError(UsmtError):
    """Pretrained weights are missing or do not fit the network."""


class CheckpointError(UsmtError):
    """A run folder or checkpoint is missing, damaged, or of another run."""


class TrainingError(UsmtError):
    """Training cannot go on, e.g. the loss stays non-finite."""


class Fault(str):
    """What is wrong, in words, with a `kind` to count by: a few stable words, e.g. `empty mask`.

    A `str`, so that it can stand wherever a plain reason can.
    """

    kind: str

    def __new__(cls, text: str, kind: str) -> Fault:
        fault = super().__new__(cls, text)
        fault.kind = kind
        return fault

    def __reduce__(self) -> tuple[type[Fault], tuple[str, str]]:
        return Fault, (str(self), self.kind)


class Faults(str):
    """Several reasons as one text; `each` has them apart, a `Fault` with its kind."""

    each: tuple[str, ...]

    def __new__(cls, each: Iterable[str]) -> Faults:
        reasons = tuple(each)
        faults = super().__new__(cls, "; ".join(reasons))
        faults.each = reasons
        return faults

    def __reduce__(self) -> tuple[type[Faults], tuple[tuple[str, ...]]]:
        return Faults, (self.each,)


def each_of(reason: str) -> tuple[str, ...]:
    """The reasons of `Faults`; else the one that there is."""
    return reason.each if isinstance(reason, Faults) else (reason,)


def kind_of(reason: str, default: str) -> str:
    """The kind of a `Fault`; the default for a reason that is a plain string."""
    return reason.kind if isinstance(reason, Fault) else default


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that is wrong, or odd, with one record or file.

    Attributes:
        task: task id; empty for what concerns no single task.
        place: file and row, e.g. `csv_files/fetal_head.csv:12`.
        reason: what was found and what was expected.
        kind: a few stable words to count by, e.g. `label`, `not an image`, `empty mask`.
        severity: an `error` would harm training; a `warning` is worth a look.
    """

    task: str
    place: str
    reason: str
    kind: str = "row"
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


SHOWN = 20
"""Defects that are listed in one message: with what stands around them, one screen."""
WIDEST = 240
"""Characters of each: a cell or a path may be as long as somebody likes."""


def listed(defects: Sequence[Defect]) -> list[str]:
    """The first of the defects, a line each, and how many more there are."""
    lines = [f"  {_one_line(str(defect))}" for defect in defects[:SHOWN]]
    return lines + [f"  ... and {len(defects) - SHOWN} more"] * (len(defects) > SHOWN)


def _one_line(text: str) -> str:
    """Short, and without line ends and control characters, which would move the cursor."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain if len(plain) <= WIDEST else f"{plain[: WIDEST - 3]}..."


class DataError(UsmtError):
    """Data that cannot be read as what it claims to be.

    Raised with a plain reason by whoever reads one image or label (a `Fault`, where it has a kind
    of its own), and with all `defects` of a dataset by whoever reads the dataset.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, defects: Sequence[Defect] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.defects = tuple(defects)

    @classmethod
    def of(cls, defects: Sequence[Defect]) -> DataError:
        """One error for many defects: counts by task, then the first of them."""
        counts = Counter(defect.task for defect in defects)
        by_task = ", ".join(f"{task} {count}" for task, count in sorted(counts.items()))
        head = f"{len(defects)} of the records cannot be used ({by_task}):"
        return cls(
            "\n".join([head, *listed(defects)]),
            hint="Correct them, or leave them out: --skip-bad",
            defects=defects,
        )


def near(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the nearest of the known names, or nothing."""
    matches = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{matches[0]}'?)" if matches else ""
