"""What a check found, told: a table by kind, the whole list as CSV or JSON, and an error."""

from __future__ import annotations

from pathlib import Path

from usmt.errors import DataError
from usmt.inspect.check import Checked
from usmt.output import Output
from usmt.whole_file import write_csv


def say_checked(checked: Checked, output: Output, listed: Path | None) -> None:
    """A table by kind; in JSON mode all of it.

    Args:
        listed: the file that has the whole list, if there is one.
    """
    output.data(
        {
            "dataset": checked.name,
            "records": checked.records,
            "absent_tasks": checked.absent,
            "errors": checked.errors,
            "warnings": checked.warnings,
            "kinds": [
                {"kind": kind, "severity": severity, "count": count, "example": str(example)}
                for kind, severity, count, example in checked.kinds()
            ],
            "defects": [
                {
                    "task": defect.task,
                    "place": defect.place,
                    "kind": defect.kind,
                    "severity": defect.severity,
                    "reason": defect.reason,
                }
                for defect in checked.defects
            ],
        }
    )
    looked = f"{_counted(sum(checked.records.values()), 'record')} of "
    looked += f"{_counted(len(checked.records), 'task')}"
    if checked.defects:
        output.table(
            f"{checked.name}: {looked}", ("kind", "severity", "count", "example"), checked.kinds()
        )
    else:
        output.text(f"{checked.name}: {looked}, nothing found")
    if listed is not None:
        output.note(f"the whole list is in {listed}")
    elif checked.defects and not output.json:
        output.note(
            "the whole list: --csv FILE, or --json; what to do about it: docs/how_to/data.md"
        )


def raise_errors(checked: Checked, listed: Path | None) -> None:
    """Raises `DataError` if anything would harm training."""
    if checked.errors:
        where = f"{listed} lists" if listed else "--csv FILE writes"
        raise DataError(
            f"{_counted(checked.errors, 'error')} in the data of {checked.name} would harm "
            f"training, beside {_counted(checked.warnings, 'warning')}",
            hint=f"Correct them ({where} each with file and row), then check again. "
            "`usmt train` stops at records with errors, or leaves them out: --skip-bad",
            defects=[defect for defect in checked.defects if defect.severity == "error"],
        )


def write_list(checked: Checked, path: Path) -> None:
    """All that was found as CSV, a row a defect."""
    rows = [(d.task, d.place, d.kind, d.severity, d.reason) for d in checked.defects]
    write_csv(path, ("task", "place", "kind", "severity", "reason"), rows)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
