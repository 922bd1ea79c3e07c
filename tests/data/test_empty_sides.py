"""What a side of the split has nothing of."""

from __future__ import annotations

from usmt import Record
from usmt.data.empty_sides import empty_sides
from usmt.data.split import Place, Split


def told(*rows: str) -> list[str]:
    """Of records `TASK CLASS SIDE`."""
    records, places = [], {}
    for number, row in enumerate(rows):
        task, stratum, side = row.split(" ")
        record = Record(task, str(number), str(number), "", stratum)
        records.append(record)
        if side in ("train", "val", "test"):
            places[task, record.key] = Place(side, str(number), str(number), "")
    return [str(defect) for defect in empty_sides(Split(places), records)]


FULL = ("a x train", "a x val", "a x test")


def test_nothing_is_said_where_nothing_is_empty() -> None:
    assert told() == told(*FULL) == told(*FULL, "a y train", "a y val", "a y test") == []


def test_a_side_that_the_whole_split_lacks_is_not_missed() -> None:
    assert told("a x train", "a x val", "b y val", "b y train") == []


def test_a_task() -> None:
    (text,) = told(*FULL, "b  train", "b  train", "b  val")
    assert text.startswith("task b: in the split no image is on test (2 on train, 1 on val): ")


def test_a_class() -> None:
    (text,) = told(*FULL, "a y train", "a y nowhere")
    assert text.startswith(
        "task a: in the split no image of the class y is on val or test (1 on train): "
    )


def test_a_class_is_held_against_the_sides_of_its_task() -> None:
    (text,) = told(*FULL, "b y train", "b y val", "b z train", "b z val")
    assert text.startswith("task b: in the split no image is on test")
