"""What a metric needs of each image: rows of numbers, from which it is had over any sample of the
images without predicting again."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from usmt.errors import CheckpointError
from usmt.mistakes import shown
from usmt.whole_file import write_text

Pool = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""A metric over many samples of the same images: (rows (N, V), weights (R, N)) -> (R,). A weight, 0
or more and not always whole, says how often an image is in a sample. NaN where the metric is not
defined."""

COLUMNS = ["task", "key", "source_id", "metric", "row"]


@runtime_checkable
class HasRows(Protocol):
    """A metric of which rows are kept: `ImageMetric`, `PooledMetric`, or any with both methods."""

    def row(self, result: Any, label: Any) -> Sequence[float]:
        """What is kept of an image: V numbers, as many for each. A metric with `per_image = True`
        has one, its value."""

    def pool(self, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The metric over many samples of images: (rows (N, V), weights (R, N)) -> (R,).

        A weight, 0 or more, says how often an image is in a sample. NaN where the metric is not
        defined.
        """


@dataclass(frozen=True, slots=True, eq=False)
class ImageRows:
    """The rows of one metric of one task.

    Attributes:
        keys: of the N images, in their order.
        sources: their patients or videos.
        rows: (N, V) float64.
    """

    keys: Sequence[str]
    sources: Sequence[str]
    rows: np.ndarray


Rows = Mapping[tuple[str, str], ImageRows]
"""By (task, metric)."""


def write_rows(path: Path, rows: Rows) -> None:
    """Writes a CSV, one line an image and metric; numbers are those that they were when read."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for (task, metric), its in sorted(rows.items()):
        for key, source, row in zip(its.keys, its.sources, its.rows.tolist(), strict=True):
            writer.writerow((task, key, source, metric, " ".join(map(repr, row))))
    write_text(path, text.getvalue())


def read_rows(path: Path) -> dict[tuple[str, str], ImageRows]:
    """Raises CheckpointError, naming the line, for a file that `write_rows` did not write."""
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise _error(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        number = error.object[: error.start].count(b"\n") + 1
        raise _error(f"{path}:{number}: not UTF-8") from None
    found: dict[tuple[str, str], dict[str, tuple[str, list[float]]]] = {}
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 1
    try:
        if next(lines, None) != COLUMNS:
            raise _error(f"{path}:1: expected the columns {', '.join(COLUMNS)}")
        number = lines.line_num + 1
        for line in lines:
            _take(line, found, f"{path}:{number}")
            number = lines.line_num + 1
    except csv.Error as error:
        raise _error(f"{path}:{number}: not a line of rows: {error}") from None
    if not text.endswith("\n"):
        raise _error(f"{path}:{lines.line_num}: the line is cut off")
    return {
        name: ImageRows(
            keys=list(its),
            sources=[source for source, _ in its.values()],
            rows=np.array([row for _, row in its.values()], np.float64),
        )
        for name, its in found.items()
    }


def _take(
    line: Sequence[str],
    found: dict[tuple[str, str], dict[str, tuple[str, list[float]]]],
    place: str,
) -> None:
    try:
        task, key, source, metric, numbers = line
        row = [float(number) for number in numbers.split(" ")]
    except ValueError:
        raise _error(f"{place}: not a line of rows: {shown(','.join(line))}") from None
    its = found.setdefault((task, metric), {})
    if key in its:
        raise _error(f"{place}: '{key}' of task '{task}' has two rows for {metric}")
    length = len(next(iter(its.values()), (source, row))[1])
    if len(row) != length:
        raise _error(f"{place}: {len(row)} numbers, but {length} in the lines before")
    its[key] = source, row


def _error(text: str) -> CheckpointError:
    return CheckpointError(text, hint="The file is the run's own: score the run again.")
