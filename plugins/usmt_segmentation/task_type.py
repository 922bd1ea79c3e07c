"""The task type: labels and results are masks of class numbers in original pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, field_validator

from usmt import Features, Size, TaskSpec, TaskType, TaskTypeOptions

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torchmetrics import Metric

    from usmt import Frame

Width = Annotated[int, Field(ge=1)]


class SegmentationSpec(TaskSpec):
    """`classes`: K names, 2 to 255, the background first; a mask's values are positions in them."""

    classes: list[str] = Field(min_length=2, max_length=255)

    @field_validator("classes")
    @classmethod
    def _different(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names):
            raise ValueError("two classes have one name")
        return names


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
    Spec = SegmentationSpec
    Options = SegmentationOptions
    primary = "dsc"
    options: SegmentationOptions

    def problems(self, spec: Any, label: Any, size: Size) -> list[str]:
        mask = np.asarray(label)
        if mask.shape != size:
            return [f"a mask of {_shape(mask.shape)} pixels for an image of {_shape(size)} pixels"]
        values = np.unique(mask).tolist()
        foreign = [value for value in values if value not in range(len(spec.classes))]
        if not foreign:
            return []
        if set(values) <= {0, 255} and len(spec.classes) == 2:
            return ["the mask has the values 0 and 255, expected 0 and 1: divide it by 255"]
        shown = ", ".join(map(str, foreign[:6])) + (", ..." if len(foreign) > 6 else "")
        return [f"the mask has the values {shown}, expected 0 to {len(spec.classes) - 1}"]

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
        logits = frame.restore(prediction.detach().float().cpu())
        return Segmentation(logits.argmax(dim=0).numpy().astype(np.uint8))

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


def _shape(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, reversed(size)))
