"""The split of a whole dataset, drawn once for many runs."""

from __future__ import annotations

from collections import Counter

from usmt.data.draw_split import draw_split
from usmt.data.empty_sides import empty_sides
from usmt.data.scan import scan
from usmt.data.split import Split
from usmt.data.stratify import SIDES
from usmt.errors import DataError
from usmt.inspect.inventory import Inventory
from usmt.output import Output


def split_inventory(
    inventory: Inventory, output: Output, *, seed: int, val: float, test: float
) -> Split:
    """The split that a run on the dataset would draw: see `draw_split`. Reads every image, but for
    synthetic ones; what cannot be read is in no split, and told."""
    inventory.require_records()
    records = inventory.records
    if inventory.dataset.synthetic:
        return draw_split({}, records, seed=seed, val=val, test=test)
    with output.progress(f"reading {inventory.name}", len(records)) as bar:
        found = scan(inventory.dataset, records, {}, progress=bar.advance)
        if not found.images:
            text = f"no image of {inventory.name} can be read"
            raise DataError(text, hint="See: usmt data check")
        with output.progress("drawing the split", None):
            split = draw_split(found.images, records, seed=seed, val=val, test=test)
    unread = [record for record in records if (record.task, record.key) not in found.images]
    if unread:
        output.warning(
            f"{len(unread)} records are in no split, since their images cannot be read (e.g. "
            f"{unread[0].place}): usmt data check"
        )
    return split


def say_split(inventory: Inventory, split: Split, output: Output) -> None:
    """The split in a few lines, the records on each side by task, and what a side lacks."""
    name = inventory.name
    counts = Counter((task, place.side) for (task, _), place in split.places.items())
    tasks = sorted({task for task, _ in split.places})
    output.data(
        {
            "dataset": name,
            **split.summary(),
            "tasks": {task: {side: counts[task, side] for side in SIDES} for task in tasks},
        }
    )
    rows = [(task, *(counts[task, side] for side in SIDES)) for task in tasks]
    output.table(f"Split of {name}", ("task", *SIDES), rows, note=f"{name}: {split.describe()}")
    sound = [record for record in inventory.records if record.defect is None]
    lacking = empty_sides(split, sound, inventory.classes)
    for defect in [*inventory.tasks_left_out(), *lacking]:
        output.warning(str(defect))
