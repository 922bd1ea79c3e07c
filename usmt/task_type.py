"""The contract of a task type: everything that the core asks of it.

Import this from `usmt`, not from here. This module imports no torch, and a plugin's module should
not either (import torch inside the methods): `usmt tasks list` loads it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from usmt.errors import UsmtError
from usmt.measurement import Measurement
from usmt.output import jsonable
from usmt.task_spec import TaskSpec

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torchmetrics import Metric

    from usmt.data.geometry import Frame

Size = tuple[int, int]
"""(height, width) in pixels."""


class TaskTypeOptions(BaseModel):
    """Base of a task type's options, set as `task_types.NAME.KEY`; unknown options are errors."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Features:
    """What a backbone gives: one map for each entry, shallow to deep, each (B, C, h, w)."""

    channels: tuple[int, ...]
    strides: tuple[int, ...]


class TaskType(ABC):
    """One kind of prediction problem: its labels, network parts, loss, metrics and pictures.

    One instance serves all tasks of the type; it holds options and no state. A *label* is what a
    dataset reads, a *prediction* what the head gives for n rows (a tensor or a dict of tensors,
    first dimension n), a *result* the prediction for one image in original pixels.
    """

    name: ClassVar[str]
    Result: ClassVar[type] = object
    """What `decode` gives for one image; a dataclass, for those who write or read results."""
    Spec: ClassVar[type[TaskSpec]] = TaskSpec
    Options: ClassVar[type[TaskTypeOptions]] = TaskTypeOptions
    primary: ClassVar[str]
    """The metric that stands for the type in tables, a key of `metrics`."""

    def __init__(self, options: TaskTypeOptions) -> None:
        self.options = options

    # -- labels and their geometry

    @abstractmethod
    def problems(self, spec: TaskSpec, label: Any, size: Size) -> list[str]:
        """What is wrong with a label of an image of this size; empty when it may be trained on.
        Never raises, whatever the label is. A `Fault` has a kind to be counted by."""

    def concerns(self, spec: TaskSpec, label: Any, size: Size) -> list[str]:
        """What is odd about a label without problems: an empty mask, a tiny box. Warnings."""
        return []

    def classes(self, spec: TaskSpec) -> list[str]:
        """Names of the classes that labels can hold; empty for a type without classes."""
        return []

    def classes_in(self, spec: TaskSpec, label: Any) -> list[str]:
        """Names of the classes that one label holds."""
        return []

    def label_numbers(self, spec: TaskSpec, label: Any, size: Size) -> dict[str, float]:
        """Numbers that describe one label, for statistics: shares of the image's area, width and
        height, the same names for every label of a task."""
        return {}

    @abstractmethod
    def wrap(self, spec: TaskSpec, label: Any, size: Size) -> dict[str, Any]:
        """The label as tensors that know their geometry: torchvision's `Mask`, `BoundingBoxes`
        and `KeyPoints` (on a canvas of `size`) are moved with the image, anything else is kept.

        Masks are filled with 255 where the moved image has no pixels.
        """

    @abstractmethod
    def target(self, spec: TaskSpec, wrapped: dict[str, Any], size: Size) -> dict[str, Tensor]:
        """What the loss needs, from a wrapped label after it was moved to the network's `size`.

        Tensors of the same shape for every record of the task; they are stacked to (n, ...).
        """

    # -- network and loss

    def decoder(self, features: Features) -> nn.Module | None:
        """The part shared by all tasks of the type: a module that maps the list of feature maps
        to one (n, C, h', w') and has `out_channels: int`. None: heads read the last map."""
        return None

    @abstractmethod
    def head(self, spec: TaskSpec, channels: int) -> nn.Module:
        """The part owned by one task: (n, channels, h', w') -> prediction for n rows."""

    @abstractmethod
    def loss(self, spec: TaskSpec, prediction: Any, target: dict[str, Tensor]) -> Tensor:
        """One loss a row, (n,), each computed from its own row alone."""

    # -- results

    @abstractmethod
    def decode(self, spec: TaskSpec, prediction: Any, frame: Frame) -> Any:
        """The result for one image in original pixels, on the CPU. `prediction` is one row,
        without the batch dimension, on the CPU and in float32 whatever the network computes in;
        `frame` leads back from network to original pixels."""

    def decode_views(self, spec: TaskSpec, views: Sequence[tuple[Any, Frame]]) -> Any:
        """One result from several views of one image (mirrored ones, say): the mean in original
        pixels. Each view is a prediction and a frame as `decode` takes them; all frames lead back
        to the same original. Raises `UsmtError` where a type has no mean."""
        raise UsmtError(
            f"the task type '{self.name}' cannot join several views of an image",
            hint="Predict without --tta.",
        )

    def as_data(self, spec: TaskSpec, result: Any) -> dict[str, Any]:
        """A result as plain values that JSON has, without what `as_images` gives. By default the
        fields of a dataclass, arrays as lists; anything else under the key `value`."""
        if not is_dataclass(result) or isinstance(result, type):
            return {"value": jsonable(result)}
        images = self.as_images(spec, result)
        fields = asdict(result).items()
        return {name: jsonable(value) for name, value in fields if name not in images}

    def as_images(self, spec: TaskSpec, result: Any) -> dict[str, np.ndarray]:
        """What of a result is an image, by name: uint8 (H, W) or (H, W, 3), of original size."""
        return {}

    def measure(
        self, spec: TaskSpec, result: Any, pixel_size: tuple[float, float]
    ) -> dict[str, Measurement]:
        """The measurements that the spec declares, by name. `pixel_size` is the width and height
        of a pixel, in any unit; (1, 1) measures in pixels."""
        return {}

    @abstractmethod
    def metrics(self, spec: TaskSpec) -> dict[str, Metric]:
        """Fresh torchmetrics objects. `update(result, label)` takes one image; `compute()` gives
        one number over all images, NaN where it is not defined. `higher_is_better` is set. A
        metric with `per_image = True` also has a value for a single image, one with the methods
        `row` and `pool` (`ImageMetric`, `PooledMetric`) can be resampled by images."""

    @abstractmethod
    def selection_score(self, spec: TaskSpec, scores: dict[str, float]) -> float:
        """A number in [0, 1], higher is better, by which the best weights are chosen. `scores`
        are the values of `metrics`."""

    @abstractmethod
    def trivial(self, spec: TaskSpec, labels: Sequence[tuple[Any, Size]]) -> Callable[[Size], Any]:
        """The best predictor that never looks at the image, fitted on training labels: majority
        class, mean landmarks, mean box, best constant mask. Maps an image size to a result."""

    @abstractmethod
    def draw_label(self, spec: TaskSpec, image: np.ndarray, label: Any) -> np.ndarray:
        """The image, uint8 (H, W, 3) RGB, with its label drawn on it; a new array."""

    @abstractmethod
    def draw_result(self, spec: TaskSpec, image: np.ndarray, result: Any) -> np.ndarray:
        """The image, uint8 (H, W, 3) RGB, with a result drawn on it; a new array."""
