"""Task types that keep every rule in a way of their own, none of which may be refused."""

from __future__ import annotations

from math import hypot
from typing import Any

from sound_task_type import Place, Spot

from usmt import UsmtError


class Plain:
    """A result without `__eq__`, as an object of any library may be."""

    def __init__(self, x: float, y: float, size: tuple[int, int]) -> None:
        self.x, self.y, self.size = x, y, size


class PlainResult(Spot):
    Result = Plain

    def decode(self, spec, prediction, frame):
        place = super().decode(spec, prediction, frame)
        return Plain(place.x, place.y, place.size)

    def decode_views(self, spec, views):
        place = super().decode_views(spec, views)
        return Plain(place.x, place.y, place.size)

    def trivial(self, spec, labels):
        guess = super().trivial(spec, labels)
        return lambda size: Plain(guess(size).x, guess(size).y, size)

    def as_data(self, spec, result):
        return {"x": result.x, "y": result.y}


class NumberOnly(Spot):
    """Of the spot only the distance from the corner, for which a whole number is one too."""

    Result = float
    primary = "off"

    def wrap(self, spec, label, size):
        return {"far": hypot(*label)}

    def target(self, spec, wrapped, size):
        import torch

        return {"far": torch.tensor([wrapped["far"] / 40])}

    def head(self, spec, channels):
        from torch import nn

        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1))

    def loss(self, spec, prediction, target):
        return (prediction - target["far"]).abs().mean(dim=1)

    def decode(self, spec, prediction, frame):
        return round(40 * float(prediction))

    def decode_views(self, spec, views):
        return round(sum(self.decode(spec, *view) for view in views) / len(views))

    def metrics(self, spec):
        from usmt import ImageMetric

        return {"off": ImageMetric(off, higher_is_better=False)}

    def selection_score(self, spec, scores):
        return 1 / (1 + scores["off"])

    def trivial(self, spec, labels):
        return lambda size: 20

    def draw_result(self, spec, image, result):
        return self._drawn(image, result, 3)


def off(result: float, label: tuple[float, float]) -> float:
    return abs(result - hypot(*label))


class NeedsAPyramid(Spot):
    def decoder(self, features):
        from torch import nn

        if len(set(features.strides)) < 3:
            raise UsmtError("the type needs maps of three strides or more")
        decoder = nn.Sequential()
        decoder.out_channels = features.channels[0]
        decoder.register_forward_hook(lambda module, maps, output: output[0])
        return decoder


class LossFromAHundred(Spot):
    def loss(self, spec, prediction, target):
        return super().loss(spec, prediction, target) + 100


class LossBelowZero(Spot):
    def loss(self, spec, prediction, target):
        return super().loss(spec, prediction, target) - 100


class NoParameters(Spot):
    """Only the backbone learns."""

    def head(self, spec, channels):
        from torch import nn

        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.AdaptiveAvgPool1d(2))


class NoElements(Spot):
    """A parameter that `forward` uses, of which there is nothing: a table for no more places."""

    def head(self, spec, channels):
        import torch

        head = super().head(spec, channels)
        head.register_parameter("more", torch.nn.Parameter(torch.zeros(0, 2)))
        head.register_forward_hook(lambda module, given, output: output + module.more.sum())
        return head


class Dropout(Spot):
    def head(self, spec, channels):
        from torch import nn

        return nn.Sequential(nn.GroupNorm(2, channels), nn.Dropout(), *super().head(spec, channels))


class LeftOutAtRandom(Spot):
    """A branch that few rows take in training."""

    def head(self, spec, channels):
        from torch import nn

        class Branches(nn.Module):
            def __init__(self):
                super().__init__()
                self.always, self.rarely = (nn.Conv2d(channels, 8, 1) for _ in range(2))
                self.out = nn.Linear(8, 2)

            def forward(self, maps):
                more = self.rarely(maps)
                if self.training:
                    more = more * (more.new_empty(len(maps), 1, 1, 1).uniform_() < 0.02)
                return self.out((self.always(maps) + more).mean((2, 3)))

        return Branches()


class SampledPlaces(Spot):
    """A map that is compared at places drawn at random."""

    def head(self, spec, channels):
        from torch import nn

        return nn.Conv2d(channels, 2, 1)

    def loss(self, spec, prediction, target):
        import torch

        places = torch.rand(len(prediction), 20, 1, 2) * 2 - 1
        seen = torch.nn.functional.grid_sample(prediction, places, align_corners=False)[..., 0]
        return (seen - target["spot"][..., None]).abs().mean((1, 2))

    def decode(self, spec, prediction, frame):
        return super().decode(spec, prediction.mean((1, 2)), frame)


def constant_map(target: dict[str, Any]) -> Any:
    return target["spot"][:, None, None].repeat(1, 4, 6)


class SaysThatItHasNoMean(Spot):
    def decode_views(self, spec, views):
        raise UsmtError("places that are far apart have no mean")


class HeatMap(Spot):
    """A map of any resolution, of which the highest cell is the place."""

    def head(self, spec, channels):
        from torch import nn

        return nn.Sequential(nn.Conv2d(channels, 1, 1), nn.Flatten(1, 2))

    def loss(self, spec, prediction, target):
        import torch

        height, width = prediction.shape[1:]
        sides = torch.tensor([width, height])
        x, y = (target["spot"] * sides).long().clamp(min=0).minimum(sides - 1).T
        cell = y * width + x
        return torch.nn.functional.cross_entropy(prediction.flatten(1), cell, reduction="none")

    def decode(self, spec, prediction, frame):
        height, width = prediction.shape
        y, x = divmod(int(prediction.argmax()), width)
        share = ((x + 0.5) / width, (y + 0.5) / height)
        x, y = frame.to_original((share[0] * frame.network[1], share[1] * frame.network[0])) - 0.5
        return Place(float(x), float(y), frame.original)


def ideal_map(target: dict[str, Any]) -> Any:
    import torch

    said = torch.zeros(96, 128)
    x, y = (target["spot"] * torch.tensor([128, 96])).long().tolist()
    said[y, x] = 50
    return said
