"""Backbones of timm: vision transformers, hierarchical and convolutional networks."""

from usmt import BackboneFamily, hookimpl
from usmt_timm.family import TimmFamily


@hookimpl
def usmt_backbones() -> list[type[BackboneFamily]]:
    return [TimmFamily]
