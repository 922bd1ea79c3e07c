"""Imports torch where every command would wait for it."""

from __future__ import annotations

import torch
from sound_backbone import Nets
from sound_dataset import Shelf
from sound_task_type import Spot

ANY = torch.float32


class Slow(Spot):
    pass


class SlowShelf(Shelf):
    pass


class SlowNets(Nets):
    pass
