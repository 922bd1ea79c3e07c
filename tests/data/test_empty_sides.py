"""What a side of the split has nothing of."""

from __future__ import annotations

from usmt import Record
from usmt.data.empty_sides import empty_sides, sides_without_images
from usmt.data.split import Place, Split
from usmt.dataset import Side

NAMES = ("x", "y", "z")


def told(*rows: str, classes: tuple[str, ...] = NAMES) -> list[str]:
    """Of records `TASK STRATUM SIDE`; each task has these classes."""
    records, places = [], {}
    for number, row in enumerate(rows):
        task, stratum, side = row.split(" ")
        record = Record(task, str(number), str(number), "", stratum)
        records.append(record)
        if side in ("train", "val", "test"):
            places[task, record.key] = Place(side, str(number), str(number), "")
    by_task = {record.task: classes for record in records}
    return [str(defect) for defect in empty_sides(Split(places), records, by_task)]


def full(stratum: str) -> list[str]:
    return [f"a {stratum} {side}" for side in ("train", "val", "test")]


FULL = full("x")


def test_nothing_is_said_where_nothing_is_empty() -> None:
    assert told() == told(*FULL) == told(*FULL, *full("y")) == []


def test_a_side_that_the_whole_split_lacks_is_not_missed() -> None:
    assert told("a x train", "a x val", "b y val", "b y train") == []


def test_a_task() -> None:
    (text,) = told(*FULL, "b  train", "b  train", "b  val")
    assert text.startswith("task b: in the split no image is on test (2 on train, 1 on val): ")


def test_a_class() -> None:
    (text,) = told(*FULL, "a y train", "a y nowhere")
    assert text.startswith(
        "task a: in the split 1 of 2 classes has no image on val or test: y (1 on train): "
    )


def test_many_classes_are_one_warning() -> None:
    names = tuple(f"c{number}" for number in range(40))
    rows = [row for name in names[12:] for row in full(name)]
    rows += [f"a {name} train" for name in names[:12]] + ["a c3 val"]
    (text,) = told(*rows, classes=names)
    assert text.startswith(
        "task a: in the split 12 of 40 classes have no image on val or test, e.g. "
        "c0 (1 on train), c1 (1 on train), c2 (1 on train): "
    )


def test_a_class_is_held_against_the_sides_of_its_task() -> None:
    (text,) = told(*FULL, "b y train", "b y val", "b z train", "b z val")
    assert text.startswith("task b: in the split no image is on test")
    assert "classes" not in text
    (text,) = told(*FULL, "b y train", "b y val", "b z train")
    assert "no image is on test" in text
    assert "; 1 of 2 classes has no image on val: z (1 on train): " in text


def test_numbers_of_classes() -> None:
    (text,) = told(*full("0"), "a 2 train")
    assert "1 of 2 classes has no image on val or test: z (1 on train)" in text
    # Numbers that are names are these.
    (text,) = told(*full("2"), "a 1 train", classes=("2", "1", "0"))
    assert "1 of 2 classes has no image on val or test: 1 (1 on train)" in text


def test_of_strata_that_are_no_classes_nothing_is_said() -> None:
    rows = [f"a {stratum} train" for stratum in ("x;y", "x;z", "x;y;z", "y")]
    assert told(*FULL, *rows) == []
    assert told(*FULL, "a y train", classes=()) == []
    assert told(*full("0"), "a 3 train") == []


def test_a_side_of_the_whole_split() -> None:
    def said(*sides: Side, official: bool) -> list[str]:
        split = Split({("a", str(i)): Place(side, str(i), "", "") for i, side in enumerate(sides)})
        records = [
            Record("a", str(i), str(i), "", split=side if official else None)
            for i, side in enumerate(sides)
        ]
        return [str(defect) for defect in sides_without_images(split, records, "ward")]

    assert said("train", "val", "test", official=True) == []
    (text,) = said("train", "train", "val", official=True)
    assert text.startswith("ward: in the split no image of any task is on test (2 on train, 1 on ")
    assert "give it a test side" in text
    (text,) = said("train", official=False)
    assert text.endswith("is on val or test (1 on train): it needs images of more patients")
