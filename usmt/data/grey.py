"""Grey images: three equal channels in the memory of one.

Most ultrasound images are grey, and networks want three channels. A grey image stays one channel
in memory, seen as three by stride, so that it is fitted, kept, changed and sent to another process
at a third of the cost.
"""

from __future__ import annotations

import torch
from torch import Tensor


def as_three(image: Tensor) -> Tensor:
    """(1, h, w) or (3, h, w) -> (3, h, w), without copying. Do not write into it."""
    return image.expand(3, -1, -1)


def distinct(image: Tensor) -> Tensor:
    """The channels of (3, h, w) that have memory of their own: (1, h, w) of a grey image from
    `as_three`, else all."""
    return image[:1] if image.stride(0) == 0 else image


def merged(image: Tensor) -> Tensor:
    """(1, h, w) or (3, h, w) -> (3, h, w), in the memory of one channel where all are equal."""
    if len(image) == 3 and torch.equal(image[0], image[1]) and torch.equal(image[0], image[2]):
        image = image[:1]
    return as_three(image.contiguous())


def stack(images: list[Tensor]) -> Tensor:
    """Images (3, h, w) -> (B, 3, h, w), in the memory of one channel where all are grey."""
    thin = [distinct(image) for image in images]
    if all(len(image) == 1 for image in thin):
        return torch.stack(thin).expand(-1, 3, -1, -1)
    return torch.stack(images)
