"""One row of the table: what is spoilt, the command that meets it, and what must be said."""

from __future__ import annotations

from dataclasses import dataclass

from command_line import Answer
from damage import Damage

MOST_LINES = 25
"""Of an error: one screen."""
WIDEST = 300
"""Characters of a line."""

TRAIN = (
    *("train", "--config", "config.yaml", "--data", "fmc_uia=data"),
    *("--specs", "specs", "--out", "new"),
)
"""Of the small copy, in whose folder commands are run."""
EVALUATE = ("evaluate", "run", "--split", "val")
RESUME = ("train", "--resume", "stopped")
LIST = ("--specs", "specs", "tasks", "list")


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of bad input.

    Attributes:
        name: for people; a test's id.
        damage: what is done to the small copy first.
        command: the arguments of `usmt`.
        place: what the answer must name: file and row, file:line:column, or option.
        way_out: a part of what was expected, or of what is to be done.
        answers: the command answers on stdout all the same: with the list of what is wrong.
    """

    name: str
    damage: Damage
    command: tuple[str, ...]
    place: str
    way_out: str
    answers: bool = False


def faults(case: Case, answer: Answer, before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What is wrong with an answer to bad input, and with what was left of the files."""
    found = []
    lines = answer.err.splitlines()
    if answer.code != 1:
        found.append(f"exit code {answer.code}, expected 1")
    if "Traceback" in answer.err or "defect of usmt" in answer.err:
        found.append("a traceback")
    if not any(line.lower().startswith("error: ") for line in lines):
        found.append("no line that begins with 'error:'")
    if answer.out and not case.answers:
        found.append(f"an answer on stdout: {answer.out!r}")
    if case.place not in answer.err:
        found.append(f"the place is not named: {case.place!r}")
    if case.way_out not in answer.err:
        found.append(f"the way out is not named: {case.way_out!r}")
    if len(lines) > MOST_LINES:
        found.append(f"{len(lines)} lines")
    found += [f"a line of {len(line)} characters" for line in lines if len(line) > WIDEST]
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            change = "lost" if name not in after else "written" if name not in before else "changed"
            found.append(f"{name} was {change}")
    return found
