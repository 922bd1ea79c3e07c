"""Ways to spoil one thing in a small copy: each gives a function of the copy's folder."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import shutil
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from usmt.train.checkpoint import sha256

Damage = Callable[[Path], object]


def nothing(place: Path) -> None:
    """The fault is in the command line."""


# -- any file


def put(file: str, content: str | bytes) -> Damage:
    def damage(place: Path) -> None:
        path = place / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return damage


def edit(file: str, change: Callable[[str], str]) -> Damage:
    """A text, changed in whatever way."""

    def damage(place: Path) -> None:
        text = (place / file).read_text(encoding="utf-8")
        assert change(text) != text
        (place / file).write_text(change(text), encoding="utf-8")

    return damage


def replace(file: str, old: str, new: str) -> Damage:
    """Every `old` of a text becomes `new`."""
    return edit(file, lambda text: text.replace(old, new))


def remove(name: str) -> Damage:
    def damage(place: Path) -> None:
        path = place / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def cut(file: str, share: float = 0.5) -> Damage:
    """Only the first part is left, as after a broken copy."""

    def damage(place: Path) -> None:
        content = (place / file).read_bytes()
        (place / file).write_bytes(content[: int(len(content) * share)])

    return damage


def flip_bit(file: str) -> Damage:
    def damage(place: Path) -> None:
        content = bytearray((place / file).read_bytes())
        content[len(content) // 2] ^= 1
        (place / file).write_bytes(content)

    return damage


def folder_instead(file: str) -> Damage:
    def damage(place: Path) -> None:
        (place / file).unlink(missing_ok=True)
        (place / file).mkdir(parents=True)

    return damage


def link(file: str, to: str) -> Damage:
    def damage(place: Path) -> None:
        (place / file).unlink()
        (place / file).symlink_to(to)

    return damage


def both(*damages: Damage) -> Damage:
    def damage(place: Path) -> None:
        for one in damages:
            one(place)

    return damage


# -- CSV files


def cells(task: str, row: int = 1, /, **values: str) -> Damage:
    """Cells of one row of a task's CSV, the first by default: line 2. Columns that are not there
    are added."""

    def damage(place: Path) -> None:
        path = place / f"data/csv_files/{task}.csv"
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")), restval="")
        rows = list(reader)
        rows[row - 1].update(values)
        with path.open("w", encoding="utf-8", newline="") as file:
            columns = dict.fromkeys([*(reader.fieldnames or ()), *values])
            writer = csv.DictWriter(file, list(columns), restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    return damage


def line(task: str, number: int, change: Callable[[str], str]) -> Damage:
    """One line of a task's CSV; the header is line 1."""

    def change_line(text: str) -> str:
        lines = text.split("\n")
        lines[number - 1] = change(lines[number - 1])
        return "\n".join(lines)

    return edit(f"data/csv_files/{task}.csv", change_line)


def encoded(task: str, encoding: str) -> Damage:
    def damage(place: Path) -> None:
        path = place / f"data/csv_files/{task}.csv"
        path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))

    return damage


# -- images


def saved_as(file: str, format: str, **options: object) -> Damage:
    """The same picture in another format, under the same name."""

    def damage(place: Path) -> None:
        with Image.open(place / file) as image:
            image.load()
        image.save(place / file, format, **options)

    return damage


def redrawn(file: str, draw: Callable[[np.ndarray], np.ndarray], **options: object) -> Damage:
    """Its pixels, uint8 (H, W), changed; saved as the file's name says, as PNG by default."""

    def damage(place: Path) -> None:
        with Image.open(place / file) as image:
            pixels = np.array(image)
        Image.fromarray(draw(pixels)).save(place / file, **{"format": "PNG", **options})

    return damage


def several_frames(file: str, format: str) -> Damage:
    def damage(place: Path) -> None:
        with Image.open(place / file) as image:
            first = image.convert("L")
        other = first.point(lambda grey: 255 - grey)
        first.save(place / file, format, save_all=True, append_images=[other])

    return damage


def with_palette(file: str, *colours: int) -> Damage:
    """A mask's numbers as indexes of a palette of these greys."""

    def damage(place: Path) -> None:
        with Image.open(place / file) as image:
            indexes = np.array(image)
        coloured = Image.fromarray(indexes).convert("P")
        coloured.putdata(indexes.ravel().tolist())
        coloured.putpalette([grey for grey in colours for _ in range(3)])
        coloured.save(place / file, "PNG")

    return damage


def png_of_size(width: int, height: int) -> bytes:
    """A grey PNG whose header states a size that nothing of its few bytes fills."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


# -- files that would run code

TRAPPED = "trapped"
"""The folder that a trap makes where it is executed."""


class _Trap:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def trap(file: str) -> Damage:
    """A pickle that makes the folder `trapped` when it is loaded as Python's pickle module does."""

    def damage(place: Path) -> None:
        (place / file).write_bytes(pickle.dumps(_Trap(place / TRAPPED)))

    return damage


def vouch(checkpoint: str) -> Damage:
    """The manifest of a checkpoint says that its files are what they are now."""

    def damage(place: Path) -> None:
        path = place / checkpoint / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["sha256"] = {name: sha256(path.parent / name) for name in manifest["sha256"]}
        path.write_text(json.dumps(manifest))

    return damage


def in_json(file: str, change: Mapping[str, object]) -> Damage:
    """Some keys of a JSON object, changed."""

    def damage(place: Path) -> None:
        data = json.loads((place / file).read_text())
        (place / file).write_text(json.dumps({**data, **change}))

    return damage


def tensors(file: str, shapes: Mapping[str, tuple[int, ...]]) -> Damage:
    """A safetensors file of zeros."""

    def damage(place: Path) -> None:
        save_file(
            {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}, place / file
        )

    return damage
