"""A network of four tasks, one of each type, trained for seconds on real images."""

from __future__ import annotations

from pathlib import Path

import pytest

from usmt.cli.main import main

TASKS = ("fetal_head", "breast_3cls", "fetal_head_axes_reg", "breast_lesion_det")
SHORT = (
    *("--set", "image_size=64", "--set", "epochs=1", "--set", "moe.experts=2"),
    "--set",
    "task_types.segmentation={fusion_channels: 16, intermediate_channels: [16, 16, 16, 16]}",
)


def train(out: Path, realus: Path, realus_specs: Path, *tasks: str) -> Path:
    arguments = ["train", "--specs", realus_specs, "--data", f"fmc_uia={realus}", *SHORT]
    arguments += [part for task in tasks for part in ("--task", task)]
    assert main([str(argument) for argument in [*arguments, "--out", out]]) == 0
    return out


@pytest.fixture(scope="package")
def trained(tmp_path_factory, realus: Path, realus_specs: Path) -> Path:
    return train(tmp_path_factory.mktemp("four") / "run", realus, realus_specs, *TASKS)


@pytest.fixture(scope="package")
def trained_alone(tmp_path_factory, realus: Path, realus_specs: Path) -> Path:
    """A run of one task that the other run does not have."""
    return train(tmp_path_factory.mktemp("one") / "run", realus, realus_specs, "ovary_tumor_det")
