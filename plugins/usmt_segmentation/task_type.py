"""The task type: labels and results are masks of class numbers in original pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from usmt import (
    Features,
    Identifier,
    Measurement,
    Size,
    TaskSpec,
    TaskType,
    TaskTypeOptions,
    check_names,
)
from usmt_segmentation import labels
from usmt_segmentation.measurements import ClassMeasurement

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torchmetrics import Metric

    from usmt import Frame

Width = Annotated[int, Field(ge=1)]


class SegmentationSpec(TaskSpec):
    """`classes`: K names, 2 to 255, the background first; a mask's values are positions in them.
    `measurements`: by name, what is measured of a class."""

    classes: list[str] = Field(min_length=2, max_length=255)
    measurements: dict[Identifier, ClassMeasurement] = Field(default={})

    @field_validator("classes")
    @classmethod
    def _different(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names):
            raise ValueError("two classes have one name")
        return names

    @field_validator("measurements")
    @classmethod
    def _of_known_classes(
        cls, declared: dict[str, ClassMeasurement], info: ValidationInfo
    ) -> dict[str, ClassMeasurement]:
        if classes := info.data.get("classes"):
            named = [((name, "class"), each.of) for name, each in declared.items()]
            check_names("class", named, classes)
        return declared


class SegmentationOptions(TaskTypeOptions):
    """Widths of the DPT decoder. By default they follow the backbone's width: DPT's own for a
    ViT-B and larger, less for a smaller one."""

    fusion_channels: Width | None = None
    intermediate_channels: Annotated[list[Width], Field(min_length=1)] | None = None


@dataclass(frozen=True, slots=True)
class Segmentation:
    """One image's result.

    Attributes:
        mask: uint8 (H, W), class numbers.
    """

    mask: np.ndarray


class SegmentationTaskType(TaskType):
    """DPT decoder shared by all tasks, a small head a task; Dice loss (paper, 2.2).

    A prediction is logits (n, K, h', w') at half the network's resolution.
    """

    name = "segmentation"
    Result = Segmentation
    Spec = SegmentationSpec
    Options = SegmentationOptions
    primary = "dsc"
    options: SegmentationOptions

    def problems(self, spec: Any, label: Any, size: Size) -> list[str]:
        return labels.problems_of(label, spec.classes, size)

    def concerns(self, spec: Any, label: Any, size: Size) -> list[str]:
        return labels.concerns_of(np.asarray(label))

    def classes(self, spec: Any) -> list[str]:
        return list(spec.classes)

    def classes_in(self, spec: Any, label: Any) -> list[str]:
        return [spec.classes[int(value)] for value in labels.values_of(np.asarray(label))]

    def label_numbers(self, spec: Any, label: Any, size: Size) -> dict[str, float]:
        """The share of each class in the image's area."""
        shares = labels.shares_of(np.asarray(label), len(spec.classes))
        return {f"area of {name}": share for name, share in zip(spec.classes, shares, strict=True)}

    def wrap(self, spec: Any, label: Any, size: Size) -> dict[str, Any]:
        import torch
        from torchvision.tv_tensors import Mask

        return {"mask": Mask(torch.from_numpy(np.ascontiguousarray(label, dtype=np.uint8)))}

    def target(self, spec: Any, wrapped: dict[str, Any], size: Size) -> dict[str, Tensor]:
        import torch

        return {"mask": wrapped["mask"].as_subclass(torch.Tensor).long()}

    def decoder(self, features: Features) -> nn.Module:
        from usmt_segmentation.network import DptDecoder

        fusion = self.options.fusion_channels or min(256, max(8, features.channels[-1] // 3))
        # DPT's own proportions: 256, then 256, 512, 1024, 1024.
        widths = [fusion * min(4, 2**level) for level in range(len(features.channels))]
        chosen = self.options.intermediate_channels or widths
        return DptDecoder(features.channels, features.strides, chosen, fusion)

    def head(self, spec: Any, channels: int) -> nn.Module:
        from usmt_segmentation.network import make_head

        return make_head(channels, len(spec.classes))

    def loss(self, spec: Any, prediction: Any, target: dict[str, Tensor]) -> Tensor:
        from usmt_segmentation.network import dice_loss

        return dice_loss(prediction, target["mask"])

    def decode(self, spec: Any, prediction: Any, frame: Frame) -> Segmentation:
        return _likeliest(_restored(prediction, frame))

    def decode_views(self, spec: Any, views: Sequence[tuple[Any, Frame]]) -> Segmentation:
        """The class of the highest mean probability."""
        if len(views) == 1:
            return self.decode(spec, *views[0])
        import torch

        probabilities = [_restored(*view).softmax(dim=0) for view in views]
        return _likeliest(torch.stack(probabilities).mean(dim=0))

    def as_data(self, spec: Any, result: Any) -> dict[str, Any]:
        counts = np.bincount(result.mask.ravel(), minlength=len(spec.classes)).tolist()
        return {
            "classes": {
                name: {"pixels": count, "share": count / result.mask.size}
                for name, count in zip(spec.classes, counts, strict=True)
            }
        }

    def as_images(self, spec: Any, result: Any) -> dict[str, np.ndarray]:
        """The mask, class numbers."""
        return {"mask": result.mask}

    def measure(
        self, spec: Any, result: Any, pixel_size: tuple[float, float]
    ) -> dict[str, Measurement]:
        return {
            name: each.measure(result.mask == spec.classes.index(each.of), pixel_size)
            for name, each in spec.measurements.items()
        }

    def metrics(self, spec: Any) -> dict[str, Metric]:
        from usmt_segmentation.metrics import make_metrics

        return make_metrics(spec.classes)

    def selection_score(self, spec: Any, scores: dict[str, float]) -> float:
        return scores["dsc"]

    def trivial(
        self, spec: Any, labels: Sequence[tuple[Any, Size]]
    ) -> Callable[[Size], Segmentation]:
        from usmt_segmentation.trivial import best_constant_mask

        return best_constant_mask([mask for mask, _ in labels], len(spec.classes))

    def draw_label(self, spec: Any, image: np.ndarray, label: Any) -> np.ndarray:
        from usmt_segmentation.drawing import draw_mask

        return draw_mask(image, np.asarray(label))

    def draw_result(self, spec: Any, image: np.ndarray, result: Any) -> np.ndarray:
        from usmt_segmentation.drawing import draw_mask

        return draw_mask(image, result.mask)


def _restored(prediction: Tensor, frame: Frame) -> Tensor:
    """Logits (K, h', w') at the centres of the original pixels, (K, H, W)."""
    return frame.restore(prediction.detach().float().cpu())


def _likeliest(classes: Tensor) -> Segmentation:
    """From logits or probabilities (K, H, W)."""
    return Segmentation(classes.argmax(dim=0).numpy().astype(np.uint8))
