"""What a task type of a plugin gets without writing it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from usmt import TaskType, TaskTypeOptions, UsmtError


@dataclass(frozen=True, slots=True)
class Place:
    x: float
    y: np.float32


@dataclass(frozen=True, slots=True)
class Contour:
    corners: np.ndarray
    centre: Place
    heat: np.ndarray
    names: tuple[str, ...] = ("a", "b")
    found: bool = True


class ContourType(TaskType):
    name = "contour"
    Result = Contour
    primary = "error"
    problems = wrap = target = head = loss = decode = metrics = lambda self, *given: None
    selection_score = trivial = draw_label = draw_result = lambda self, *given: None

    def as_images(self, spec: Any, result: Contour) -> dict[str, np.ndarray]:
        return {"heat": result.heat}


def test_a_dataclass_as_data_is_its_fields_without_its_images():
    kind = ContourType(TaskTypeOptions())
    corners = np.array([[1.5, 2], [3, np.nan]])
    result = Contour(corners, Place(1.0, np.float32(2)), np.zeros((2, 3), np.uint8))
    data = kind.as_data(None, result)
    assert data == {
        "corners": [[1.5, 2.0], [3.0, None]],
        "centre": {"x": 1.0, "y": 2.0},
        "names": ["a", "b"],
        "found": True,
    }
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert np.array_equal(result.corners, corners, equal_nan=True)


@pytest.mark.parametrize(
    ("result", "value"),
    [(0.5, 0.5), (np.float64("nan"), None), (np.arange(2), [0, 1]), ({"a": 1}, {"a": 1})],
)
def test_any_other_result_as_data_is_one_value(result, value):
    assert ContourType(TaskTypeOptions()).as_data(None, result) == {"value": value}


def test_nothing_is_measured_and_views_cannot_be_joined():
    kind = ContourType(TaskTypeOptions())
    assert kind.measure(None, None, (1, 1)) == {}
    with pytest.raises(UsmtError, match="'contour' cannot join several views"):
        kind.decode_views(None, [])
