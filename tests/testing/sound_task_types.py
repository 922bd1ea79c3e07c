"""Task types that keep every rule in a way of their own, none of which may be refused."""

from __future__ import annotations

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


class Dropout(Spot):
    def head(self, spec, channels):
        from torch import nn

        return nn.Sequential(nn.GroupNorm(2, channels), nn.Dropout(), *super().head(spec, channels))


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
