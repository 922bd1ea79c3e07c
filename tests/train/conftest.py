"""Runs the command line in this process, and small training runs with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from usmt.cli.main import main

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
"""Settings that make a run last seconds."""

FOUR_TYPES = ("fetal_head", "fetal_plane_cls", "fetal_femur", "thyroid_nodule_det")
"""A task of each type."""


@dataclass(frozen=True)
class Outcome:
    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


Usmt = Callable[..., Outcome]


@pytest.fixture
def usmt(capfd: pytest.CaptureFixture[str]) -> Usmt:
    """`usmt(*arguments)` -> exit code and what was printed."""

    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        printed = capfd.readouterr()
        return Outcome(code, printed.out, printed.err)

    return call


def tasks(*names: str) -> list[str]:
    return [part for name in names for part in ("--task", name)]


def weights(run: Path, which: str = "last") -> bytes:
    return (run / which / "model.safetensors").read_bytes()
