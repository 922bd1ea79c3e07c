"""A family of five tasks whose relations are known, with the study that must find them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from usmt import UsmtError, write_bytes
from usmt_phantom.casting import PLANTED
from usmt_phantom.planted import Planted

SIZE = 64
"""Pixels: width of the images, and side of the network's input."""


BACKBONE = "test_vit"
"""The smallest vision transformer that timm has: a run takes seconds."""


@dataclass(frozen=True, slots=True)
class Member:
    """A task of the family."""

    title: str
    classes: tuple[str, str]
    planted: Planted


GROUPS = {
    "family_sharing": ("Two tasks that ask for one sign", ["planted_few", "planted_many"]),
    "family_conflict": (
        "A task and what it is confounded with",
        ["planted_misled", "planted_misleading"],
    ),
}
UNRELATED = "planted_apart"
ALL = "family"


def members(images: int, strength: float, test: int) -> dict[str, Member]:
    """The five tasks, by id.

    `planted_few` and `planted_many` ask for a sign that takes many images to learn, and the first
    has few. `planted_misled` asks for a sign that a few images teach, not without errors; in its
    training images the other sign goes with the label, which it has too few images to see.
    `planted_misleading` has the images to see it. `planted_apart` is easy, and looks different.

    Args:
        images: training images of the largest tasks.
        strength: of the conflict, see `Planted`.
        test: test images of each task.
    """
    shape, echo = ("flat", "upright"), ("dark", "bright")

    def plant(train: float, **how: Any) -> Planted:
        return Planted(train=2 * round(train / 2), test=test, **how)

    return {
        "planted_few": Member(
            "Shape, few images", shape, plant(images / 8, asks="upright", varies=["bright"])
        ),
        "planted_many": Member(
            "Shape, many images", shape, plant(images, asks="upright", varies=["bright"])
        ),
        "planted_misled": Member(
            "Echo, confounded with shape",
            echo,
            plant(images / 4, asks="bright", errors=0.1, confounder="upright", strength=strength),
        ),
        "planted_misleading": Member(
            "Shape, the confounder", shape, plant(images, asks="upright", varies=["bright"])
        ),
        UNRELATED: Member(
            "Shadow, of another probe",
            ("no_shadow", "shadow"),
            plant(images * 3 / 4, asks="shadow", probe="convex"),
        ),
    }


def study(specs: Path, family: dict[str, Member], *, epochs: int, seed: int) -> dict[str, Any]:
    """The study that compares the family's tasks alone, in their groups, and all together."""
    planted = {id: each.planted.model_dump(exclude_unset=True) for id, each in family.items()}
    return {
        "title": "Tasks with known relations",
        "groups": list(GROUPS),
        "tasks": [UNRELATED],
        "paradigms": ["ts", "cg", "au"],
        "all": ALL,
        "moe": "paper",
        "seeds": [0, 1, 2],
        "budget": {"epochs": epochs},
        "preset": "small",
        "settings": {
            "specs": [str(specs)],
            "data": {"phantom": {"size": SIZE, "seed": seed, "planted": planted}},
            "image_size": SIZE,
            "backbone": {"name": BACKBONE},
            "moe": {"experts": 2, "blocks": 2},
            "optimizer": {
                "learning_rate": dict.fromkeys(("backbone", "moe", "decoder", "head"), 0.001)
            },
        },
    }


def write_family(
    folder: Path, *, images: int, strength: float, test: int, epochs: int, seed: int
) -> Path:
    """Writes `tasks/`, `groups/` and `study.yaml`; returns the last. Raises UsmtError for a folder
    that has something in it already."""
    folder = folder.expanduser().resolve()
    family = members(images, strength, test)
    files: dict[str, dict[str, Any]] = {
        f"tasks/{task}.yaml": _task(task, member) for task, member in family.items()
    }
    for group, (title, tasks) in {**GROUPS, ALL: ("The whole family", list(family))}.items():
        files[f"groups/{group}.yaml"] = {"id": group, "title": title, "tasks": tasks}
    files["study.yaml"] = study(folder, family, epochs=epochs, seed=seed)
    try:
        if folder.exists() and any(folder.iterdir()):
            raise UsmtError(f"{folder} is not empty", hint="Choose another --out.")
        for name, values in files.items():
            write_bytes(folder / name, _yaml(values))
    except OSError as error:
        raise UsmtError(f"{folder} cannot be written: {error.strerror or error}") from error
    return folder / "study.yaml"


def _task(task: str, member: Member) -> dict[str, Any]:
    return {
        "id": task,
        "title": member.title,
        "type": "classification",
        "organ": PLANTED,
        "dataset": "phantom",
        "flip": "horizontal",
        "classes": list(member.classes),
    }


def _yaml(values: dict[str, Any]) -> bytes:
    text = io.StringIO()
    YAML().dump(values, text)
    return text.getvalue().encode()
