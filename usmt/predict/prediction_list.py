"""usmt's own form of a folder of predictions: for datasets that have none of theirs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from usmt.data.image_file import png_bytes, read_image
from usmt.dataset import Entry, Record, Submission
from usmt.errors import DataError, Defect
from usmt.measurement import in_units
from usmt.output import jsonable
from usmt.task_spec import TaskSpec
from usmt.task_type import TaskType
from usmt.task_type_calls import measured
from usmt.whole_file import write_bytes, write_text

LIST = "predictions.json"
PixelSize = Callable[[Record], tuple[float, float] | None]


class PredictionList(Submission):
    """`predictions.json`, a list with one entry for each image of each task, and PNGs of what
    cannot be listed (masks): `TASK/KEY-NAME.png`.

    Args:
        types: task types by name.
        pixel_size: of a record's image, (width, height) in mm, or None where it is not known.
    """

    def __init__(self, folder: Path, types: Mapping[str, TaskType], pixel_size: PixelSize) -> None:
        self.folder = folder
        self.types = types
        self.pixel_size = pixel_size

    def add(self, record: Record, task: TaskSpec, result: Any, size: tuple[int, int]) -> Entry:
        task_type = self.types[task.type]
        files = {}
        for name, image in task_type.as_images(task, result).items():
            files[name] = f"{task.id}/{_file_name(record.key)}-{name}.png"
            write_bytes(self.folder / files[name], png_bytes(image))
        pixel_size = self.pixel_size(record)
        in_pixels = measured(task_type, task, result, (1.0, 1.0))
        in_mm = measured(task_type, task, result, pixel_size) if pixel_size else {}
        return {
            "task": task.id,
            "key": record.key,
            "size": list(size),
            "pixel_size": list(pixel_size) if pixel_size else None,
            "result": jsonable(task_type.as_data(task, result)),
            "measurements": {
                name: in_units(one, in_mm.get(name)) for name, one in in_pixels.items()
            },
            "files": files,
        }

    def is_complete(self, record: Record, entry: Entry) -> bool:
        files, size = entry.get("files", {}), tuple(entry.get("size", ()))
        return all(_image_problem(self.folder / name, size) is None for name in files.values())

    def finish(self, entries: Sequence[Entry]) -> None:
        text = json.dumps(list(entries), indent=1, ensure_ascii=False, allow_nan=False)
        write_text(self.folder / LIST, text + "\n")

    def check(self, tasks: Collection[str] | None = None) -> list[Defect]:
        place = self.folder / LIST
        try:
            entries = json.loads(place.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            return [Defect("", str(place), f"cannot be read: {error}", "list")]
        defects = []
        for number, entry in enumerate(entries):
            if tasks is not None and entry["task"] not in tasks:
                continue
            for name in entry["files"].values():
                if problem := _image_problem(self.folder / name, tuple(entry["size"])):
                    defects.append(Defect(entry["task"], f"{LIST}[{number}]", problem, "file"))
        return defects


def _file_name(key: str) -> str:
    """A key as a file's name; keys that differ never share one."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", key).strip("._")[-80:]
    if plain == key:
        return plain
    return f"{plain}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _image_problem(path: Path, size: tuple[int, int]) -> str | None:
    try:
        found = read_image(path).shape[:2]
    except DataError as error:
        return error.message
    return None if found == size else f"{path.name}: {found} pixels, expected {size}"
