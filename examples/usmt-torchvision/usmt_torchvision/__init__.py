"""Backbones: the ResNets and ConvNeXts of torchvision, with its own pretrained weights."""

from __future__ import annotations

from usmt import BackboneFamily, hookimpl
from usmt_torchvision.family import Torchvision

USMT_API = 1

__all__ = ["Torchvision"]


@hookimpl
def usmt_backbones() -> list[type[BackboneFamily]]:
    return [Torchvision]
