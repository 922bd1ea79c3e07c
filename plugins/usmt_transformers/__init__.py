"""Backbones of the transformers library: DINOv3, as vision transformers and as ConvNeXt."""

from usmt import BackboneFamily, hookimpl
from usmt_transformers.family import TransformersFamily


@hookimpl
def usmt_backbones() -> list[type[BackboneFamily]]:
    return [TransformersFamily]
