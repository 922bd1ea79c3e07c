"""The head and its loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

PRIOR = 0.05
"""Probability of a cell at the start; one in 64 holds the centre at 128 px."""

SIZE = 0.3
"""Side of a box at the start, as a share of the canvas."""

BETA = 0.1
"""Where Smooth L1 turns from quadratic to linear, as a share of the canvas."""


class MapHead(nn.Module):
    """(n, C, h, w) -> {"score": logits (n, h, w), "box": (n, 4, h, w)}.

    A cell predicts the box's centre relative to its own centre, and the box's size, all as shares
    of the canvas; `box` holds the centre's absolute place. These four are divided by sqrt(C): an
    optimizer that moves each weight by the learning rate would else move the box by a tenth of the
    canvas at every step.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels, channels, 3, padding=1)
        self.predict = nn.Conv2d(channels, 5, 1)
        nn.init.normal_(self.predict.weight, std=0.01)
        nn.init.normal_(self.predict.weight[1:], std=0.1)
        start = torch.tensor([-math.log((1 - PRIOR) / PRIOR), 0.0, 0.0, 0.0, 0.0])
        self.predict.bias = nn.Parameter(start)
        self.scale = 1 / math.sqrt(channels)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        # In single precision, also where the network computes in half: bf16 knows 256 places.
        raw = self.predict(F.relu(self.mix(features))).float()
        score, offset, size = raw.split([1, 2, 2], dim=1)
        h, w = features.shape[-2:]
        x = (torch.arange(w, device=raw.device) + 0.5) / w
        y = (torch.arange(h, device=raw.device) + 0.5) / h
        centres = torch.stack([x.expand(h, w), y[:, None].expand(h, w)])
        box = [centres + self.scale * offset, SIZE + self.scale * size]
        return {"score": score[:, 0], "box": torch.cat(box, dim=1)}


def map_loss(score: Tensor, box: Tensor, target: Tensor) -> Tensor:
    """Focal loss (alpha 0.25, gamma 2) summed over all cells, plus Smooth L1 summed over the four
    numbers at the cell that holds the target's centre.

    Args:
        score: logits (n, h, w).
        box: (n, 4, h, w).
        target: (n, 4), centre x, centre y, width, height, shares of the canvas.

    Returns:
        One loss a row, (n,).
    """
    n, h, w = score.shape
    column = (target[:, 0] * w).long().clamp(0, w - 1)
    row = (target[:, 1] * h).long().clamp(0, h - 1)
    rows = torch.arange(n, device=score.device)
    truth = torch.zeros_like(score)
    truth[rows, row, column] = 1
    focal = sigmoid_focal_loss(score, truth, alpha=0.25, gamma=2.0, reduction="none").sum((1, 2))
    at_centre = box[rows, :, row, column]
    return focal + F.smooth_l1_loss(at_centre, target, beta=BETA, reduction="none").sum(1)
