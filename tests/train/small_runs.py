"""Runs that last seconds."""

from __future__ import annotations

from pathlib import Path

QUICK = (
    "--set",
    "image_size=64",
    "--set",
    "data.phantom={images: 20, size: 64}",
    "--set",
    "moe.experts=2",
    "--set",
    "task_types.segmentation={fusion_channels: 16, intermediate_channels: [16, 16, 16, 16]}",
)

FOUR_TYPES = ("fetal_head", "fetal_plane_cls", "fetal_femur", "thyroid_nodule_det")
"""A task of each type."""


def tasks(*names: str) -> list[str]:
    return [part for name in names for part in ("--task", name)]


def weights(run: Path, which: str = "last") -> bytes:
    return (run / which / "model.safetensors").read_bytes()
