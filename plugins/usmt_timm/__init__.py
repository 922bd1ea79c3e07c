"""Backbones of timm: vision transformers, hierarchical and convolutional networks."""

from usmt import BackboneFamily, hookimpl


@hookimpl
def usmt_backbones() -> list[type[BackboneFamily]]:
    return []
