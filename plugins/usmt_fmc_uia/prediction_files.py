"""The files of a folder of predictions: how they are called, and what is in them."""

from __future__ import annotations

import json
from pathlib import Path

from usmt import Fault
from usmt_fmc_uia.tables import Row

LISTS = {
    "classification": "classification_predictions.json",
    "detection": "detection_predictions.json",
    "regression": "regression_predictions.json",
}
"""Where each type's predictions are listed; those of segmentations are the masks themselves."""

NAMES = ("task_id", "image_path")
"""The keys that say what an entry of a list is about."""

ANSWERS = {
    "classification": ("predicted_class", "predicted_probs"),
    "detection": ("bbox_normalized", "bbox_pixels"),
    "regression": ("predicted_points_normalized", "predicted_points_pixels"),
}
"""The keys that an entry has besides."""


class ListError(Exception):
    """A list of predictions cannot be read as one. Its `fault` says why."""

    def __init__(self, text: str, kind: str) -> None:
        super().__init__(text)
        self.fault = Fault(text, kind)


def read_list(path: Path) -> object:
    """What a file of predictions holds, whatever that is. Raises `ListError` if it is not there, or
    not JSON in UTF-8."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ListError(f"there is no {path.name}", "missing list") from None
    except UnicodeDecodeError:
        reason = "not UTF-8 text"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except (ValueError, RecursionError) as error:
        reason = f"not JSON: {error}"
    raise ListError(reason, "unreadable list")


def mask_name(row: Row) -> str:
    """Where the mask of a segmentation's row is written, relative to the folder of predictions."""
    mask = row.cells.get("mask_path", "")
    if not mask.strip():
        mask = row.cells.get("image_path", "").replace("img", "mask").replace("IMG", "MASK")
    return mask.replace("../", "")
