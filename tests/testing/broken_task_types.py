"""Task types that break one rule each, on purpose."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from pydantic import field_validator
from sound_task_type import Place, Spot, SpotOptions


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


class MeanOverRows(Spot):
    def loss(self, spec, prediction, target):
        return super().loss(spec, prediction, target).mean()


class RowsMixed(Spot):
    def loss(self, spec, prediction, target):
        losses = super().loss(spec, prediction, target)
        return losses.mean() + 0 * losses


class BatchNormalised(Spot):
    def head(self, spec, channels):
        from torch import nn

        head = super().head(spec, channels)
        return nn.Sequential(*head, nn.BatchNorm1d(2))


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


class OneBatch(Spot):
    def metrics(self, spec):
        from spot_metrics import LastBatch

        return {"distance": LastBatch()}


class ZeroWithoutImages(Spot):
    def metrics(self, spec):
        from spot_metrics import ZeroAtFirst, distance

        return {"distance": ZeroAtFirst(distance, higher_is_better=False)}


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
