"""Public datasets as `--data NAME=ROOT` opens them, and their shipped tasks."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from usmt import Catalogue, Dataset, Plugins, Record, TaskSpec, load_catalogue, load_plugins

TINY = (
    *("--set", "epochs=1", "--set", "image_size=64", "--set", "batch_size=4"),
    *("--set", "backbone.name=vit_tiny_patch16_dinov3_qkvb", "--set", "backbone.weights=none"),
    *("--set", "moe.experts=2", "--set", "workers=0", "--set"),
    "task_types.segmentation={fusion_channels: 16, intermediate_channels: [16, 16, 16, 16]}",
)
"""Settings of a training that takes seconds."""


@cache
def plugins() -> Plugins:
    return load_plugins()


@cache
def catalogue() -> Catalogue:
    return load_catalogue(plugins())


def opened(name: str, root: Path, **options: Any) -> Dataset:
    dataset = plugins().datasets[name]
    return dataset(dataset.Options.model_validate({"root": root, **options}))


def task(name: str, **changes: Any) -> TaskSpec:
    """A shipped task, with other values of some fields."""
    spec = catalogue().task(name)
    return type(spec).model_validate({**spec.model_dump(), **changes})


def by_key(dataset: Dataset, spec: TaskSpec) -> dict[str, Record]:
    records = dataset.records(spec)
    assert len({record.key for record in records}) == len(records)
    return {record.key: record for record in records}
