"""From an annotation to the label of a task, in the form that its type documents."""

from __future__ import annotations

from typing import Any

import numpy as np

from usmt import DataError, Fault, Size, TaskSpec
from usmt_wardbook.annotation import Annotation, Outline

SERVED = ("segmentation", "classification", "regression")


def label_of(task: TaskSpec, annotation: Annotation, size: Size | None) -> Any:
    """The label; None where it was not annotated.

    Args:
        size: (H, W) of the image; None: a mask is not drawn, its outlines are given instead.

    Raises:
        DataError: it is none of what the task's spec names.
    """
    match task.type:
        case "segmentation":
            return _mask(getattr(task, "classes", ())[1:], annotation, size)
        case "classification":
            return _class(getattr(task, "classes", ()), annotation.diagnosis)
        case "regression":
            return _ends(task.layout.get("calipers", []), annotation)
        case _:
            raise DataError(f"no labels of type '{task.type}'", hint=f"only {', '.join(SERVED)}")


def _mask(structures: list[str], annotation: Annotation, size: Size | None) -> Any:
    """uint8 (H, W): 0 the background, the structures from 1 on, later ones on top."""
    if not all(name in annotation.outlines for name in structures):
        return None
    parts = [
        (number, outline)
        for number, name in enumerate(structures, 1)
        for outline in annotation.outlines[name]
    ]
    return parts if size is None else draw_mask(parts, size)


def draw_mask(parts: list[tuple[int, Outline]], size: Size) -> np.ndarray:
    """Outlines with their class numbers, filled."""
    from PIL import Image, ImageDraw

    image = Image.new("L", (size[1], size[0]))
    draw = ImageDraw.Draw(image)
    for number, outline in parts:
        draw.polygon([(x, y) for x, y in outline], fill=number)
    return np.array(image)


def _class(classes: list[str], diagnosis: str | None) -> int | None:
    if diagnosis is None:
        return None
    if diagnosis not in classes:
        text = f"diagnosis: '{diagnosis}' is none of {', '.join(classes)}"
        raise DataError(Fault(text, "diagnosis"))
    return classes.index(diagnosis)


def _ends(calipers: list[str], annotation: Annotation) -> np.ndarray | None:
    """float (2 C, 2): both ends of each caliper."""
    if not all(name in annotation.calipers for name in calipers):
        return None
    ends = [annotation.calipers[name].ends for name in calipers]
    return np.array(ends, np.float64).reshape(-1, 2)
