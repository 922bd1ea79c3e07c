"""The task type that is checked, with what its author gives for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from usmt.task_spec import TaskSpec
from usmt.task_type import Size, TaskType
from usmt.testing.broken_rule import BrokenRuleError, described, keeping

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """See `check_task_type` for what is what."""

    type: TaskType
    spec: TaskSpec
    labels: Sequence[tuple[Any, Size]]
    bad_labels: Sequence[tuple[Any, Size]]
    ideal: Callable[[dict[str, Tensor]], Any]
    wrong: Callable[[Any, Size], Any]
    best: Mapping[str, float]
    worst: Mapping[str, float]
    within: Mapping[str, float]
    placed: bool

    @property
    def name(self) -> str:
        """Of the class, as messages have it."""
        return type(self.type).__name__

    def ideal_prediction(self, target: Mapping[str, Tensor]) -> Any:
        """What `ideal` makes of one target. It may do with the tensors what it likes."""
        forms = {name: tuple(tensor.shape) for name, tensor in target.items()}
        with keeping(
            f"{self.name}: `ideal` must take the target of one label",
            given=f"tensors without batch dimension, of the shapes {forms}",
            do="check the call of check_task_type",
        ):
            return self.ideal({name: tensor.clone() for name, tensor in target.items()})

    def wrong_result(self, label: Any, size: Size) -> Any:
        """What `wrong` gives for a label."""
        with keeping(
            f"{self.name}: `wrong` must take a label and its image's size",
            given=label_on(label, size),
            do="check the call of check_task_type",
        ):
            result = self.wrong(label, size)
        self.check_is_result(result, "`wrong` in the call of check_task_type")
        return result

    def check_is_result(self, result: Any, source: str) -> None:
        """Raises BrokenRuleError for what is not as the class says that results are."""
        declared = self.type.Result
        if not isinstance(result, (float, int) if declared is float else declared):
            raise BrokenRuleError(
                f"{self.name}: {source} must give what the class names as `Result`",
                expected=f"a {declared.__name__}",
                found=described(result),
            )


def image_of(size: Size) -> str:
    """A size in words."""
    return f"an image {size[0]} pixels high and {size[1]} wide"


def label_on(label: Any, size: Size) -> str:
    """A label in words."""
    return f"the label {described(label)} of {image_of(size)}"
