"""One record, examined: all that is wrong with it, or what training has to know."""

from __future__ import annotations

import pickle
from typing import Any, ClassVar

import numpy as np
import pytest

from usmt import DataError, Dataset, DatasetOptions, Fault, Faults, Record, TaskSpec
from usmt.data.examine import defects_of, examine
from usmt.errors import each_of, kind_of
from usmt.inspect.label_hash import label_hash
from usmt_detection.task_type import DetectionSpec, DetectionTaskType

SPEC = DetectionSpec(
    id="t", title="T", type="detection", organ="x", dataset="d", flip="none", target="nodule"
)
CHECK = (DetectionTaskType(DetectionTaskType.Options()), SPEC)

IMAGE = np.zeros((60, 80), np.uint8)
INVERTED_AND_OUTSIDE = [90, 10, 20, 30]


class One(Dataset):
    """One image and one label; what is an error is raised."""

    name: ClassVar[str] = "one"
    Options: ClassVar[type[DatasetOptions]] = DatasetOptions

    def __init__(self, image: Any, label: Any) -> None:
        super().__init__(DatasetOptions())
        self.image, self.label = image, label

    def records(self, task: TaskSpec) -> list[Record]:
        raise NotImplementedError

    def read_image(self, record: Record) -> np.ndarray:
        return given(self.image)

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        return given(self.label)


def given(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


def faults(image: Any, label: Any, defect: str | None = None, *, thorough: bool = True) -> list:
    record = Record("t", "k", "k", "rows.csv:2", defect=defect)
    found = examine(One(image, label), record, CHECK, thorough=thorough)
    return [(part, kind_of(text, part)) for part, text in found.faults]


DAMAGED = DataError(Fault("cut off", "truncated file"))
ROW = Faults([Fault("split is 'dev'", "wrong value"), "and more"])


def test_all_that_is_wrong_is_found():
    assert faults(IMAGE, INVERTED_AND_OUTSIDE, ROW) == [
        ("row", "wrong value"),
        ("row", "row"),
        ("label", "inverted box"),
        ("label", "box outside"),
    ]


def test_of_an_unreadable_image_the_label_is_checked_as_far_as_its_size_does_not_matter():
    assert faults(DAMAGED, INVERTED_AND_OUTSIDE, ROW)[2:] == [
        ("image", "truncated file"),
        ("label", "inverted box"),
    ]
    assert faults(DAMAGED, [10, 10, 700, 30]) == [("image", "truncated file")]
    assert faults(DAMAGED, DataError("no mask")) == [
        ("image", "truncated file"),
        ("label", "label"),
    ]


def test_what_a_dataset_repeats_of_a_record_counts_once():
    assert faults(DataError(ROW), DataError(ROW), ROW) == [("row", "wrong value"), ("row", "row")]


def test_training_stops_at_the_first_thing():
    assert faults(IMAGE, AssertionError("was read"), ROW, thorough=False) == [
        ("row", "wrong value"),
        ("row", "row"),
    ]
    assert faults(DAMAGED, AssertionError("was read"), thorough=False) == [
        ("image", "truncated file")
    ]


def test_a_sound_record():
    found = examine(One(IMAGE, [10, 10, 20, 30]), Record("t", "k", "k", "p"), CHECK)
    assert (found.faults, found.size, found.label) == ([], (60, 80), [10, 10, 20, 30])
    assert found.image is IMAGE


def test_defects_have_the_place_and_kind():
    record = Record("t", "k", "k", "rows.csv:2", defect=ROW)
    one, other = defects_of(record, examine(One(IMAGE, [1, 2, 9, 9]), record, CHECK).faults)
    assert (one.task, one.place, one.reason) == ("t", "rows.csv:2", "split is 'dev'")
    assert (one.kind, other.kind) == ("wrong value", "row")


def test_faults_are_one_text_that_comes_apart():
    again = pickle.loads(pickle.dumps(ROW))
    assert again == "split is 'dev'; and more"
    assert [kind_of(text, "none") for text in each_of(again)] == ["wrong value", "none"]
    assert each_of("plain") == ("plain",)


@pytest.mark.parametrize(
    ("label", "same", "other"),
    [
        (1, 1, 2),
        (np.arange(4.0), np.arange(4.0), np.arange(4.0) + 1e-9),
        (np.zeros((2, 3), np.uint8), np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8)),
        ([1, [2, 3]], [1, [2, 3]], [1, 2, 3]),
        ({"a": 1, "b": np.ones(2)}, {"b": np.ones(2), "a": 1}, {"a": 1, "b": np.zeros(2)}),
        ("text", "text", "texts"),
    ],
)
def test_labels_are_compared_by_what_they_hold(label, same, other):
    assert label_hash(label) == label_hash(same) != label_hash(other)
    columns = np.asfortranarray(np.arange(6).reshape(2, 3))
    assert label_hash(columns) == label_hash(np.ascontiguousarray(columns))
