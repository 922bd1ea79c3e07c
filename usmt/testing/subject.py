"""The task type that is checked, with what its author gives for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from usmt.task_spec import TaskSpec
from usmt.task_type import Size, TaskType
from usmt.testing.broken_rule import described

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """See `check_task_type` for what is what."""

    type: TaskType
    spec: TaskSpec
    labels: Sequence[tuple[Any, Size]]
    ideal: Callable[[dict[str, Tensor]], Any]
    wrong: Callable[[Any, Size], Any]
    best: Mapping[str, float]
    worst: Mapping[str, float]
    within: Mapping[str, float]

    @property
    def name(self) -> str:
        """Of the class, as messages have it."""
        return type(self.type).__name__


def image_of(size: Size) -> str:
    """A size in words."""
    return f"an image {size[0]} pixels high and {size[1]} wide"


def label_on(label: Any, size: Size) -> str:
    """A label in words."""
    return f"the label {described(label)} of {image_of(size)}"
