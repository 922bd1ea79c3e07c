"""Records of one task that have the same key: nothing could tell one from the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from usmt.dataset import Record
from usmt.errors import Defect


def repeated_keys(dataset: str, records: Iterable[Record]) -> Iterator[Defect]:
    """One for each record whose key an earlier record of its task has.

    Of records that have a defect of their own nothing more is said.

    Args:
        dataset: its name.
    """
    first: dict[tuple[str, str], Record] = {}
    for record in records:
        name = record.task, record.key
        if first.setdefault(name, record) is record or record.defect is not None:
            continue
        reason = (
            f"the key '{record.key}' is already that of {first[name].place}: in task "
            f"'{record.task}' the dataset '{dataset}' must give each record a key of its own, such "
            "as the path of its image"
        )
        yield Defect(record.task, record.place, reason, "key twice")
