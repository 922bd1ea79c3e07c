"""A list of predictions, by image, as the published scorer indexes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from usmt_fmc_uia.prediction_files import LISTS, ListError, read_list

SCORED = {
    "classification": "predicted_class",
    "detection": "bbox_pixels",
    "regression": "predicted_points_pixels",
}
"""The key without which the published scorer dies."""


@dataclass(slots=True)
class Predictions:
    """What one file holds.

    Attributes:
        entries: by task_id and image_path, the last of several.
        repeated: by task, how many entries another one came after.
        failure: why the published scorer gives nothing of the whole type; None if it does.
    """

    entries: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    repeated: Counter[str] = field(default_factory=Counter)
    failure: str | None = None

    def of(self, task_id: str, image_path: str) -> dict[str, Any] | None:
        """The entry of an image; None if it has none."""
        return self.entries.get((task_id, image_path))


def read_predictions(folder: Path, kind: str) -> Predictions:
    """Whatever can be used of the file of a type that has one."""
    name = LISTS[kind]
    predictions = Predictions()
    try:
        found = read_list(folder / name)
    except ListError as error:
        missing = error.fault.kind == "missing list"
        predictions.failure = str(error.fault) if missing else f"{name}: {error.fault}"
        return predictions
    if not isinstance(found, Iterable):
        predictions.failure = f"{name} holds a JSON {type(found).__name__}, expected a list"
        return predictions
    # Over an empty object or text the published scorer walks as over an empty list.
    for position, entry in enumerate(found):
        if problem := _problem(entry, kind):
            predictions.failure = predictions.failure or f"{name}[{position}] {problem}"
        if isinstance(entry, dict):
            key = (entry.get("task_id"), entry.get("image_path"))
            if isinstance(key[0], str) and isinstance(key[1], str):
                predictions.repeated[key[0]] += key in predictions.entries
                predictions.entries[key[0], key[1]] = entry
    return predictions


def _problem(entry: object, kind: str) -> str | None:
    """Why the published scorer dies of an entry."""
    if not isinstance(entry, dict):
        return f"is a JSON {type(entry).__name__}, expected an object"
    for key in ("task_id", "image_path", SCORED[kind]):
        if key not in entry:
            return f"has no {key}"
    for key in ("task_id", "image_path"):
        if isinstance(entry[key], list | dict):
            return f"{key} is a JSON {type(entry[key]).__name__}, expected a text"
    return None
