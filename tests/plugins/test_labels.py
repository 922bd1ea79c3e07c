"""What the built-in task types say of labels: faults with kinds, oddities, classes, numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from contract import make_spec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from usmt import Fault, TaskSpec, TaskType
from usmt_classification.task_type import ClassificationTaskType
from usmt_detection.task_type import DetectionTaskType
from usmt_regression.task_type import RegressionTaskType
from usmt_segmentation.task_type import SegmentationTaskType

SIZE = (60, 80)

TYPES: dict[str, tuple[TaskType, TaskSpec]] = {
    kind.name: (kind(kind.Options()), make_spec(kind, **fields))
    for kind, fields in (
        (SegmentationTaskType, {"classes": ["background", "head", "symphysis"]}),
        (ClassificationTaskType, {"classes": ["a", "b", "c"]}),
        (RegressionTaskType, {"points": ["left", "right"]}),
        (DetectionTaskType, {"target": "nodule"}),
    )
}


def mask(*boxes: tuple[int, int, int, int, int]) -> np.ndarray:
    """Classes drawn as boxes: class, y, x, height, width."""
    drawn = np.zeros(SIZE, np.uint8)
    for k, y, x, height, width in boxes:
        drawn[y : y + height, x : x + width] = k
    return drawn


SOUND: dict[str, Any] = {
    "segmentation": mask((1, 10, 10, 6, 40), (2, 30, 0, 12, 20)),
    "classification": 1,
    "regression": [[10, 20], [79.5, 59.5]],
    "detection": [20, 15, 60, 45],
}


@pytest.mark.parametrize("name", TYPES)
def test_a_sound_label_has_nothing_wrong_or_odd(name):
    kind, spec = TYPES[name]
    assert kind.problems(spec, SOUND[name], SIZE) == []
    assert kind.concerns(spec, SOUND[name], SIZE) == []


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.complex_numbers(),
    st.dates(),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers(-(10**400), 10**400) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
        max_leaves=12,
    ),
    arrays.arrays(
        st.one_of(arrays.scalar_dtypes(), st.just(np.dtype(object))),
        st.sampled_from([(), (4,), (2, 2), (2,), SIZE, (0,), (60, 80, 3)]),
    ),
)


@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=300, deadline=None)
@given(label=ANYTHING)
def test_whatever_a_label_is_its_problems_are_said(name, label):
    kind, spec = TYPES[name]
    found = kind.problems(spec, label, SIZE)
    assert all(isinstance(text, Fault) and text and text.kind for text in found)
    if not found:  # then the label can be used
        kind.concerns(spec, label, SIZE)
        kind.target(spec, kind.wrap(spec, label, SIZE), SIZE)


@pytest.mark.parametrize(
    ("name", "label", "kinds"),
    [
        ("segmentation", [[1, 2], [3]], ["not a mask"]),
        ("segmentation", "mask.png", ["not a mask"]),
        ("segmentation", np.full(SIZE, "1"), ["not a mask"]),
        ("segmentation", mask()[:-1], ["size mismatch"]),
        ("segmentation", mask((3, 0, 0, 2, 2)), ["mask values"]),
        ("segmentation", mask((255, 0, 0, 2, 2)), ["mask of 0 and 255"]),
        ("segmentation", mask((255, 0, 0, 2, 2))[:-1], ["size mismatch", "mask of 0 and 255"]),
        ("classification", "benign", ["not a class"]),
        ("classification", 3, ["class out of range"]),
        ("regression", [[1, 2], [3]], ["not points"]),
        ("regression", [["a", "b"], [1, 2]], ["not points"]),
        ("regression", [[10**400, 1], [1, 2]], ["not points"]),
        ("regression", [["1", "2"], ["3", "4"]], ["not points"]),
        ("regression", [[1j, 2], [3, 4]], ["not points"]),
        ("regression", [[1, 2]], ["not points"]),
        ("regression", [[np.nan, 2], [90, 2]], ["missing point", "point outside"]),
        ("detection", [[1, 2], [3]], ["not a box"]),
        ("detection", ["a", 1, 2, 3], ["not a box"]),
        ("detection", [1, 2, 3], ["not a box"]),
        ("detection", [1, 2, np.inf, 3], ["not a box"]),
        ("detection", [60, 15, 20, 45], ["inverted box"]),
        ("detection", [20, 15, 20, 45], ["empty box"]),
        ("detection", [20, 15, 90, 45], ["box outside"]),
        ("detection", [90, 15, 20, 45], ["inverted box", "box outside"]),
    ],
)
def test_kinds_of_problems(name, label, kinds):
    kind, spec = TYPES[name]
    assert [fault.kind for fault in kind.problems(spec, label, SIZE)] == kinds


@pytest.mark.parametrize(
    ("name", "label", "kinds"),
    [
        ("segmentation", mask(), ["empty mask"]),
        ("regression", [[10, 20], [10.3, 20.3]], ["points in one place"]),
        ("regression", [[10, 20], [10.4, 20.4]], []),
        ("regression", [[0, 0], [10, 20]], ["point at (0, 0)"]),
        ("regression", [[0, 20], [10, 0]], []),
        ("regression", [[0.2, 0.3], [0.9, 0.8]], ["points as shares"]),
        ("detection", [20, 15, 23, 45], ["tiny box"]),
        ("detection", [20, 15, 24.5, 19.5], []),
        ("detection", [0.2, 0.1, 0.7, 0.9], ["tiny box"]),
    ],
)
def test_kinds_of_concerns(name, label, kinds):
    kind, spec = TYPES[name]
    assert kind.problems(spec, label, SIZE) == []
    assert [fault.kind for fault in kind.concerns(spec, label, SIZE)] == kinds


def test_a_small_box_is_tiny_in_a_large_image():
    kind, spec = TYPES["detection"]
    box = [20, 15, 40, 35]
    assert kind.concerns(spec, box, (600, 600)) == []
    assert [fault.kind for fault in kind.concerns(spec, box, (1200, 800))] == ["tiny box"]


def test_classes():
    kind, spec = TYPES["segmentation"]
    assert kind.classes(spec) == ["background", "head", "symphysis"]
    assert kind.classes_in(spec, mask((2, 0, 0, 5, 5))) == ["background", "symphysis"]
    assert kind.classes_in(spec, np.full(SIZE, 1.0)) == ["head"]
    kind, spec = TYPES["classification"]
    assert kind.classes(spec) == ["a", "b", "c"]
    assert kind.classes_in(spec, np.int64(2)) == ["c"]
    for name in ("regression", "detection"):
        kind, spec = TYPES[name]
        assert (kind.classes(spec), kind.classes_in(spec, SOUND[name])) == ([], [])


def test_numbers_of_labels():
    def numbers(name: str) -> dict[str, float]:
        kind, spec = TYPES[name]
        return kind.label_numbers(spec, SOUND[name], SIZE)

    assert numbers("classification") == {}
    assert numbers("segmentation") == pytest.approx(
        {"area of background": 0.9, "area of head": 0.05, "area of symphysis": 0.05}
    )
    assert numbers("regression") == pytest.approx(
        {"left x": 10.5 / 80, "left y": 20.5 / 60, "right x": 1.0, "right y": 1.0}
    )
    assert numbers("detection") == pytest.approx(
        {"width": 0.5, "height": 0.5, "area": 0.25, "centre x": 0.5, "centre y": 0.5}
    )
