"""Imports all of usmt, and so torch, where every command would wait for it."""

from __future__ import annotations

from sound_dataset import Shelf

from usmt import *  # noqa: F403


class ShelfOfAll(Shelf):
    pass
