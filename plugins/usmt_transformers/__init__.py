"""Backbones of the transformers library: DINOv3."""

from usmt import BackboneFamily, hookimpl


@hookimpl
def usmt_backbones() -> list[type[BackboneFamily]]:
    return []
