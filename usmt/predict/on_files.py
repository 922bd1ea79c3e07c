"""Predicts single image files: for each a JSON, and pictures of what was found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

from usmt.data.image_file import png_bytes, read_image
from usmt.errors import ConfigError, DataError, Defect, kind_of, listed
from usmt.measurement import in_units
from usmt.output import Output, jsonable, shown
from usmt.predict.model import Model
from usmt.task_spec import TaskSpec
from usmt.task_type_calls import asking
from usmt.whole_file import check_folder, write_bytes, write_text

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


@dataclass(frozen=True, slots=True)
class FilesJob:
    """What is to be predicted where.

    Attributes:
        overwrite: replace results of other images that have the same names.
        pixel_size: (width, height) of a pixel in mm; None: measurements are in pixels alone.
    """

    images: Sequence[Path]
    specs: Sequence[TaskSpec]
    folder: Path
    tta: bool = False
    batch_size: int = 16
    overwrite: bool = False
    pixel_size: tuple[float, float] | None = None


def predict_files(model: Model, job: FilesJob, output: Output) -> list[dict[str, Any]]:
    """Writes TASK/NAME.json, TASK/NAME.overlay.png (the result drawn on the image) and
    TASK/NAME.mask.png or the like, NAME being the file's stem.

    Returns what the JSON files hold. Raises DataError for files that cannot be read, after all
    others were predicted.
    """
    check_folder(job.folder)
    names = _names(job.images)
    _check_free(job, names)
    answers, defects = [], []
    with output.progress("predicting", len(names) * len(job.specs)) as bar:
        paths = list(names)
        for start in range(0, len(paths), job.batch_size):
            pixels = {}
            for path in paths[start : start + job.batch_size]:
                try:
                    pixels[path] = read_image(path)
                except DataError as error:
                    kind = kind_of(error.message, "image")
                    reason = error.message.removeprefix(f"{path.name}: ")
                    defects.append(Defect("", str(path), reason, kind))
                    bar.advance(len(job.specs))
            for spec in job.specs:
                batch = [model.prepare(image, spec.id) for image in pixels.values()]
                results = model.predict_prepared(batch, tta=job.tta) if batch else []
                for (path, image), result in zip(pixels.items(), results, strict=True):
                    entry = _entry(model, job, spec, path, image.shape[:2], result)
                    answers.append(_write(model, job, spec, names[path], entry, image, result))
                    bar.advance()
    _tell(answers, job, output)
    if defects:
        head = f"{len(defects)} of {len(names)} files cannot be read:"
        raise DataError(
            "\n".join([head, *listed(defects)]),
            hint=f"All others are predicted. Images are {', '.join(SUFFIXES)}",
            defects=defects,
        )
    return answers


def image_files(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and the image files of folders, in the order of their names.

    Raises DataError for a path that is not there, and for a folder without images.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: there is no such file")
        inside = _images_in(path) if path.is_dir() else [path]
        if not inside:
            raise DataError(f"{path}: no image in this folder ({', '.join(SUFFIXES)})")
        found += inside
    return found


def _images_in(folder: Path) -> list[Path]:
    return sorted(
        one
        for one in folder.iterdir()
        if one.suffix.lower() in SUFFIXES and one.name[0] != "." and one.is_file()
    )


def _names(images: Sequence[Path]) -> dict[Path, str]:
    """A name for each file, once: its stem, with a number where that is taken."""
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for path in dict.fromkeys(images):
        numbered = (f"{path.stem}-{number}" for number in count(2))
        names[path] = next(name for name in chain([path.stem], numbered) if name not in taken)
        taken.add(names[path])
    return names


def _check_free(job: FilesJob, names: Mapping[Path, str]) -> None:
    """Raises ConfigError where a result would take the place of an image, or of the result of
    another image."""
    images = {path.resolve() for path in names}
    for spec in job.specs:
        place = job.folder / spec.id
        folder = place.resolve()
        beside = [one for one in images if one.parent == folder]
        for path, name in names.items():
            if taken := sorted(one for one in beside if one.name.startswith(f"{name}.")):
                raise ConfigError(
                    f"--out {job.folder}: results would lie among the images, as {taken[0]}",
                    hint="Choose another --out.",
                )
            listed = place / f"{name}.json"
            if not job.overwrite and listed.exists() and _image_of(listed) != str(path.resolve()):
                raise ConfigError(
                    f"{listed}: holds the result of another image",
                    hint="Choose another --out, or --overwrite to replace it.",
                )


def _image_of(listed: Path) -> str | None:
    """The image that a JSON file was written for; None if it was not written here."""
    try:
        image = json.loads(listed.read_text(encoding="utf-8"))["image"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return str(Path(image).resolve()) if isinstance(image, str) else None


def _entry(
    model: Model, job: FilesJob, spec: TaskSpec, path: Path, size: tuple[int, ...], result: Any
) -> dict[str, Any]:
    measured = model.measure(result, spec.id)
    in_mm = model.measure(result, spec.id, pixel_size=job.pixel_size) if job.pixel_size else {}
    task_type = model.type_of(spec.id)
    with asking(task_type, spec, "as_data"):
        plain = task_type.as_data(spec, result)
    return {
        "image": str(path),
        "task": spec.id,
        "type": spec.type,
        "size": {"height": size[0], "width": size[1]},
        "result": jsonable(plain),
        "measurements": {name: in_units(one, in_mm.get(name)) for name, one in measured.items()},
    }


def _write(
    model: Model,
    job: FilesJob,
    spec: TaskSpec,
    name: str,
    entry: dict[str, Any],
    image: Any,
    result: Any,
) -> dict[str, Any]:
    place = job.folder / spec.id
    files = {"overlay": place / f"{name}.overlay.png"}
    write_bytes(files["overlay"], png_bytes(model.draw(image, result, spec.id)))
    task_type = model.type_of(spec.id)
    with asking(task_type, spec, "as_images"):
        pictures = task_type.as_images(spec, result)
    for kind, picture in pictures.items():
        files[kind] = place / f"{name}.{kind}.png"
        write_bytes(files[kind], png_bytes(picture))
    whole = {**entry, "files": {kind: str(path) for kind, path in files.items()}}
    text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(place / f"{name}.json", text + "\n")
    return whole


def _tell(answers: Sequence[dict[str, Any]], job: FilesJob, output: Output) -> None:
    output.data(answers)
    rows = [
        (
            one["image"],
            one["task"],
            _said(one["result"]),
            ", ".join(
                f"{name} {' = '.join(f'{shown(value)} {unit}' for unit, value in values.items())}"
                for name, values in one["measurements"].items()
            ),
        )
        for one in answers
    ]
    if rows:
        output.table("Predictions", ("image", "task", "result", "measurements"), rows)
        output.text(f"Pictures and JSON are in {job.folder}")


def _said(value: Any) -> str:
    """A result's plain values in one cell."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_said(item)}" for key, item in value.items())
    if isinstance(value, list):
        return f"({', '.join(map(_said, value))})"
    return shown(value)
