"""Task types that break one rule each, on purpose."""

from __future__ import annotations

import random
from types import MappingProxyType
from typing import Any, Protocol, TypedDict

import numpy as np
from pydantic import Field, field_validator
from sound_task_type import Place, Spot, SpotOptions

from usmt import TaskSpec, TaskType
from usmt_classification import Classification, ClassificationTaskType


class ProblemsRaise(Spot):
    def problems(self, spec, label, size):
        return [] if 0 <= label[0] <= size[1] and 0 <= label[1] <= size[0] else ["outside"]


class AcceptsAnything(Spot):
    def problems(self, spec, label, size):
        return []


class StaysWhereItIs(Spot):
    """A label that is no KeyPoints is not moved with the image."""

    def wrap(self, spec, label, size):
        import torch

        return {"spot": (torch.tensor([label]) + 0.5) / torch.tensor(size[::-1])}

    def target(self, spec, wrapped, size):
        return {"spot": wrapped["spot"][0]}


class NeverMoves(StaysWhereItIs):
    """Wrong all through: the way back is as deaf as the way there."""

    def wrap(self, spec, label, size):
        import torch

        return {"spot": torch.tensor([label])}

    def target(self, spec, wrapped, size):
        return {"spot": wrapped["spot"][0] / 40}

    def decode(self, spec, prediction, frame):
        x, y = prediction.double().numpy() * 40
        return Place(float(x), float(y), frame.original)


class RowsBeforeColumns(Spot):
    """Wrong on the way there and on the way back."""

    def wrap(self, spec, label, size):
        return super().wrap(spec, label[::-1], size)

    def decode(self, spec, prediction, frame):
        place = super().decode(spec, prediction, frame)
        return Place(place.y, place.x, place.size)


class CornerWidthHeight(Spot):
    def wrap(self, spec, label, size):
        import torch
        from torchvision.tv_tensors import BoundingBoxes

        box = BoundingBoxes(torch.tensor([[*label, 2.0, 2.0]]), format="XYWH", canvas_size=size)
        return {"box": box, **super().wrap(spec, label, size)}


class MaskOfTruths(Spot):
    """Beyond the image it is filled with what stands for true."""

    def wrap(self, spec, label, size):
        import torch
        from torchvision.tv_tensors import Mask

        return {"on": Mask(torch.zeros(size, dtype=torch.bool)), **super().wrap(spec, label, size)}


class InfiniteTarget(Spot):
    def target(self, spec, wrapped, size):
        return {"spot": 1 / (0 * super().target(spec, wrapped, size)["spot"])}


class ChangesLabels(Spot):
    def draw_label(self, spec, image, label):
        label[0] += 0.25
        return super().draw_label(spec, image, label)


class CanvasTurned(Spot):
    def wrap(self, spec, label, size):
        return super().wrap(spec, label, size[::-1])


class TargetsOfManyShapes(Spot):
    def target(self, spec, wrapped, size):
        target = super().target(spec, wrapped, size)
        return {"spot": target["spot"].repeat(1 + int(target["spot"][0] > 0.5))}


class UnusedParameter(Spot):
    def head(self, spec, channels):
        from torch import nn

        head = super().head(spec, channels)
        head.register_parameter("spare", nn.Parameter(nn.Linear(2, 2).weight.detach()))
        return head


class Misspelt(Spot):
    def as_image(self, spec, result):
        return {}


class MeanOverRows(Spot):
    def loss(self, spec, prediction, target):
        return super().loss(spec, prediction, target).mean()


class RowsMixed(Spot):
    def loss(self, spec, prediction, target):
        losses = super().loss(spec, prediction, target)
        return losses.mean() + 0 * losses


class RowsMixedAtRandom(Spot):
    def loss(self, spec, prediction, target):
        losses = super().loss(spec, prediction, target)
        return losses.mean() + 0.01 * losses * losses.new_empty(len(losses)).uniform_()


class DrawsElsewhere(Spot):
    def loss(self, spec, prediction, target):
        return super().loss(spec, prediction, target) * (1 + random.random())


class TargetOfAnotherKind(Spot):
    def target(self, spec, wrapped, size):
        return MappingProxyType(super().target(spec, wrapped, size))


class PlaceByName(TypedDict):
    x: float
    y: float


class ResultIsATypedDict(Spot):
    Result = PlaceByName


class HasPlace(Protocol):
    x: float


class ResultIsAProtocol(Spot):
    Result = HasPlace


class BatchNormalised(Spot):
    def head(self, spec, channels):
        from torch import nn

        head = super().head(spec, channels)
        return nn.Sequential(*head, nn.BatchNorm1d(2))


class BatchNormalisedMaps(Spot):
    """One row is enough for it, for a map has many cells."""

    def head(self, spec, channels):
        from torch import nn

        return nn.Sequential(nn.BatchNorm2d(channels), *super().head(spec, channels))


class FixedMaps(Spot):
    def head(self, spec, channels):
        from torch import nn

        return nn.Sequential(nn.Flatten(), nn.Linear(channels * 4 * 6, 2))


class OneHeadForAll(Spot):
    def head(self, spec, channels):
        self.kept = getattr(self, "kept", {})
        return self.kept.setdefault(channels, super().head(spec, channels))


class OtherChannels(Spot):
    def decoder(self, features):
        from torch import nn

        decoder = nn.Sequential()
        decoder.out_channels = 5
        decoder.register_forward_hook(lambda module, maps, output: output[-1])
        return decoder


class RefusesAllMaps(Spot):
    def decoder(self, features):
        from usmt import UsmtError

        raise UsmtError("only maps of stride 7")


class HalfOfTheTarget(Spot):
    def loss(self, spec, prediction, target):
        return (prediction - target["spot"])[:, :1].abs().mean(dim=1) + 0 * prediction.sum(dim=1)


class CoordinatesSwapped(Spot):
    def loss(self, spec, prediction, target):
        return (prediction - target["spot"].flip(1)).abs().mean(dim=1)


class SteepAtTheTarget(Spot):
    def loss(self, spec, prediction, target):
        return (prediction - target["spot"]).square().sum(dim=1).sqrt()


class LogarithmOfZero(Spot):
    def loss(self, spec, prediction, target):
        sure = -(1 - prediction.sigmoid()).log()
        return super().loss(spec, prediction, target) + 0.001 * sure.mean(dim=1)


class ChangesTargets(Spot):
    def loss(self, spec, prediction, target):
        target["spot"].clamp_(0.3, 0.7)
        return super().loss(spec, prediction, target)


class NoGradient(Spot):
    def loss(self, spec, prediction, target):
        return super().loss(spec, prediction.detach(), target)


class GrowingLoss(Spot):
    def loss(self, spec, prediction, target):
        return 3 - super().loss(spec, prediction, target)


class StuckHead(Spot):
    def head(self, spec, channels):
        head = super().head(spec, channels)
        head[2].register_forward_hook(lambda module, given, output: 1e-6 * output)
        return head


class UnseededHead(Spot):
    def head(self, spec, channels):
        from torch import nn

        head = super().head(spec, channels)
        nn.init.constant_(head[2].bias, random.SystemRandom().random())
        return head


class ForgetsTheFrame(Spot):
    def decode(self, spec, prediction, frame):
        height, width = frame.original
        x, y = prediction.double().numpy() * (width, height) - 0.5
        return Place(float(x), float(y), frame.original)


class DecodesAtRandom(Spot):
    def decode(self, spec, prediction, frame):
        place = super().decode(spec, prediction, frame)
        return Place(place.x + 1e-9 * random.random(), place.y, place.size)


class AveragesInTheNetwork(Spot):
    def decode_views(self, spec, views):
        return self.decode(spec, sum(view[0] for view in views) / len(views), views[0][1])


class FirstViewOnly(Spot):
    def decode_views(self, spec, views):
        return self.decode(spec, *views[0])


class LastViewOnly(Spot):
    def decode_views(self, spec, views):
        return self.decode(spec, *views[-1])


class DecodesInPlace(Spot):
    def decode(self, spec, prediction, frame):
        return super().decode(spec, prediction.add_(1).clamp_(1, 2) - 1, frame)


class OtherResult(Spot):
    def decode(self, spec, prediction, frame):
        place = super().decode(spec, prediction, frame)
        return (place.x, place.y)


class LooksAtTheFrame(ClassificationTaskType):
    def decode(self, spec, prediction, frame):
        return super().decode(spec, prediction * abs(float(frame.matrix[0, 0])), frame)


class OneBatch(Spot):
    def metrics(self, spec):
        from spot_metrics import LastBatch

        return {"distance": LastBatch()}


class ZeroWithoutImages(Spot):
    def metrics(self, spec):
        from spot_metrics import ZeroAtFirst, distance

        return {"distance": ZeroAtFirst(distance, higher_is_better=False)}


class SharedState(Spot):
    def metrics(self, spec):
        from spot_metrics import Shared

        return {"distance": Shared()}


class ComputeRaises(Spot):
    def metrics(self, spec):
        from spot_metrics import Raising, distance

        return {"distance": Raising(distance, higher_is_better=False)}


class WrongPool(Spot):
    def metrics(self, spec):
        from spot_metrics import PoolsBySum, distance

        return {"distance": PoolsBySum(distance, higher_is_better=False)}


class HiddenState(Spot):
    def metrics(self, spec):
        from spot_metrics import Hidden

        return {"distance": Hidden()}


class UnpicklableMetric(Spot):
    def metrics(self, spec):
        from spot_metrics import distance

        from usmt import ImageMetric

        return {
            "distance": ImageMetric(lambda *pair: distance(*pair), higher_is_better=False),
        }


class NoPrimary(Spot):
    primary = "mre"


class ScoreOfTwo(Spot):
    def selection_score(self, spec, scores):
        return 2 / (1 + scores["distance"])


class ErrorAsScore(Spot):
    def selection_score(self, spec, scores):
        return min(scores["distance"] / 100, 1.0)


class NotJson(Spot):
    def as_data(self, spec, result):
        return {"spot": np.array([result.x, result.y])}


class FloatImage(Spot):
    def as_images(self, spec, result):
        return {"heat": np.zeros(result.size)}


class UndeclaredMeasurement(Spot):
    def measure(self, spec, result, pixel_size):
        from usmt import Measurement

        return {"depth": Measurement(result.y * pixel_size[1], "length")}


class MeasuredSpec(TaskSpec):
    measurements: dict[str, str] = Field(default={})


class AlwaysPixels(Spot):
    Spec = MeasuredSpec

    def measure(self, spec, result, pixel_size):
        from usmt import Measurement

        return {name: Measurement(result.y, "length") for name in spec.measurements}


class KnownSizesOnly(Spot):
    def trivial(self, spec, labels):
        guesses = {size: Place(*label, size) for label, size in labels}
        return lambda size: guesses[size]


class OneLabelIsTooFew(Spot):
    def trivial(self, spec, labels):
        (x, y), _ = labels[1]
        return lambda size: Place(x, y, size)


class DrawsInsideOnly(Spot):
    def draw_result(self, spec, image, result):
        picture = image.copy()
        picture[int(result.y), int(result.x)] = 255
        return picture


class DrawsOnTheImage(Spot):
    def draw_result(self, spec, image, result):
        image[:2] = 255
        return image


class DrawsNothing(Spot):
    def draw_label(self, spec, image, label):
        return image.copy()


class ChangingOptions(SpotOptions):
    @field_validator("radius")
    @classmethod
    def _grown(cls, radius: int) -> int:
        return radius + 1


class OptionsThatChange(Spot):
    Options = ChangingOptions

    def __init__(self, options: Any) -> None:
        super().__init__(ChangingOptions(radius=2))


class NoNumbersTwice(Spot):
    def label_numbers(self, spec, label, size):
        return {f"spot at {label[0]:.0f}": label[0]}


class Unfinished(TaskType):
    name = "unfinished"

    def problems(self, spec, label, size):
        return []


class WithoutPrimary(Spot):
    primary = None


class ResultIsNoClass(Spot):
    Result = list[float]


class MakesNothing(Spot):
    def __init__(self, options, more):
        super().__init__(options)


class NumbersAreNone(Spot):
    def label_numbers(self, spec, label, size):
        return None


def other_class(label: int, size: tuple[int, int]) -> Classification:
    return Classification(np.eye(3)[(label + 1) % 3])
