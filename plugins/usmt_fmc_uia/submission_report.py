"""What is wrong with a folder of predictions, for people, as JSON and as rows of a CSV file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from usmt import DataError, Defect, Output

COLUMNS = ("task", "place", "kind", "severity", "reason")
SHOWN = 20


def as_row(defect: Defect) -> tuple[str, ...]:
    """The values of `COLUMNS`."""
    return (defect.task, defect.place, defect.kind, defect.severity, defect.reason)


def say_defects(folder: Path, defects: Sequence[Defect], output: Output) -> None:
    """Warns of what is odd. Raises `DataError` for what is wrong."""
    errors = [defect for defect in defects if defect.severity == "error"]
    odd = [defect for defect in defects if defect.severity == "warning"]
    output.data(
        {
            "folder": str(folder),
            "errors": len(errors),
            "warnings": len(odd),
            "defects": [asdict(defect) for defect in defects],
        }
    )
    for defect in odd[:SHOWN]:
        output.warning(str(defect))
    if len(odd) > SHOWN:
        output.warning(f"... and {len(odd) - SHOWN} more ({_counts(odd)})")
    if errors:
        lines = [f"{folder} cannot be handed in, {len(errors)} errors ({_counts(errors)}):"]
        lines += [f"  {defect}" for defect in errors[:SHOWN]]
        if len(errors) > SHOWN:
            lines.append(f"  ... and {len(errors) - SHOWN} more")
        raise DataError("\n".join(lines), hint="All of them: --csv FILE, or --json", defects=errors)
    output.text(f"{folder} can be handed in: {len(odd)} warnings")


def _counts(defects: Sequence[Defect]) -> str:
    counts = Counter(defect.kind for defect in defects)
    return ", ".join(f"{kind} {count}" for kind, count in counts.most_common())
