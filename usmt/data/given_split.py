"""A split that a run is given and does not draw: its data must be those that it was drawn on.

What is looked at, and why only that, is told in docs/explanation/split.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from usmt.data.grouping import Name
from usmt.data.split import Split
from usmt.dataset import Dataset, Record
from usmt.errors import DataError


@dataclass(frozen=True, slots=True)
class GivenSplit:
    """A split that was drawn before.

    Attributes:
        file: where it was read; None: the frozen split of the run that is gone on with or scored.
    """

    split: Split
    file: Path | None = None

    def unsure(self, records: Sequence[Record], tasks: Collection[str]) -> list[Record]:
        """The records that must be read to know whether they are those of the split: all of the
        run's `tasks`, and of others those that it lacks, which may be new, or were never readable.
        """
        return [
            record
            for record in records
            if record.task in tasks or (record.task, record.key) not in self.split.places
        ]

    def fitting(
        self,
        dataset: Dataset,
        records: Sequence[Record],
        tasks: Collection[str],
        contents: Mapping[Name, str],
    ) -> Split:
        """The split, of a file without the records of `tasks` that cannot be read any more.

        Args:
            records: all that the dataset lists.
            contents: the pixels' hashes of those that were unsure, if they could be read.

        Raises:
            DataError: the data are others than the split was drawn on.
        """
        # Of a synthetic dataset only the run's tasks are listed.
        split = self.split.of(tasks) if dataset.synthetic else self.split
        listed = {(record.task, record.key) for record in records}
        others = {name for name in listed & split.places.keys() if name[0] not in tasks}
        present = {**{name: split.places[name].content for name in others}, **contents}
        changes = split.changes(present)
        if self.file is not None:  # an image that cannot be read is a defect of its own
            changes = replace(changes, gone=[name for name in changes.gone if name not in listed])
        if not (changes.gone or changes.new or changes.changed):
            return Split({name: split.places[name] for name in sorted(present)})
        if self.file is None:
            raise DataError(
                f"the data of {dataset.name} are not those that the run was started with: "
                f"{changes}",
                hint="Restore the data, or start a new run.",
            )
        raise DataError(
            f"the split {self.file} does not fit the data of {dataset.name}: {changes}",
            hint="Restore the data, or draw a new split: usmt data split. Which records changed: "
            f"usmt data check --split {self.file}",
        )
