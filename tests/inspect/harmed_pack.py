"""A copy of a part of the real pack in which one thing after another is harmed.

Each harm says what a check must find: `Found(place, kind)`.
"""

from __future__ import annotations

import csv
import io
import shutil
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from real_pack import Row, copy_pack, read_rows

TASKS = ("breast_2cls", "breast_lesion", "breast_lesion_det", "fetal_head_axes_reg")
"""One of each type."""
OTHERS = ("organ_5cls", "ovary_8cls", "ovary_tumor", "lung_abnormal_2cls", "nerve_vessel_multi")


class Found(NamedTuple):
    place: str
    kind: str


class Table:
    """The rows of one task, and what is to be found in them."""

    def __init__(self, root: Path, task: str) -> None:
        self.root, self.task = root, task
        self.rows: list[Row] = read_rows(root, task)
        self.found: list[Found] = []
        self._next = 0

    def take(self) -> Row:
        """A row that nothing was done to yet."""
        self._next += 1
        return self.rows[self._next - 1]

    def expect(self, row: Row, *kinds: str) -> None:
        line = next(i for i, one in enumerate(self.rows, start=2) if one is row)
        self.found += [Found(f"csv_files/{self.task}.csv:{line}", kind) for kind in kinds]

    def of_file(self, kind: str, line: int = 1) -> None:
        self.found.append(Found(f"csv_files/{self.task}.csv:{line}", kind))

    def harm(self, *kinds: str, **cells: str) -> Row:
        """Writes cells of the next row."""
        row = self.take()
        row.update(cells)
        self.expect(row, *kinds)
        return row

    def file(self, row: Row, column: str = "image_path") -> Path:
        return self.root / "csv_files" / row[column]

    def pixels(self, row: Row, column: str = "image_path") -> np.ndarray:
        return np.array(Image.open(self.file(row, column)))

    def copy_of(self, row: Row, name: str, **cells: str) -> Row:
        """A new row whose image is a file of its own, with what the old one holds."""
        file = self.file(row).with_name(name)
        shutil.copy(self.file(row), file)
        path = row["image_path"].rpartition("/")[0] + f"/{name}"
        self.rows.append({**row, "image_path": path, **cells})
        return self.rows[-1]

    def write(self, *, encoding: str = "utf-8", end: str = "\n", **names: str) -> None:
        """`names`: columns that are called otherwise; an empty name drops the column."""
        columns = {name: names.get(name, name) for name in self.rows[0]}
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator=end)
        writer.writerow(filter(None, columns.values()))
        for row in self.rows:
            writer.writerow(row[name] for name, now in columns.items() if now)
        path = self.root / "csv_files" / f"{self.task}.csv"
        path.write_bytes(text.getvalue().encode(encoding))


def harm(pack: Path, root: Path) -> list[Found]:
    copy_pack(pack, root, [*TASKS, *OTHERS], 40)
    tables = [Table(root, task) for task in (*TASKS, *OTHERS)]
    classes, masks, boxes, points, organs, ovaries, outlines, lungs, nerves = tables
    _harm_images(classes)
    _harm_rows(classes, root)
    _repeat_images(classes)
    classes.write(encoding="utf-8-sig")
    classes.of_file("byte order mark")
    _harm_masks(masks)
    masks.write(end="\r\n")
    masks.of_file("CRLF line ends")
    _harm_boxes(boxes)
    boxes.write()
    _harm_points(points)
    points.rows[0]["licence"] = "许可"
    points.write(encoding="gbk")
    points.of_file("GBK encoding")
    _part(organs)
    organs.write()
    scarce = [row for row in ovaries.rows if row["mask"] == "6"][1:]
    ovaries.rows = [row for row in ovaries.rows if row["mask"] != "7" and row not in scarce]
    ovaries.write()
    for kind in ("class never present", "class nearly never present"):
        ovaries.found.append(Found("task ovary_8cls", kind))
    outlines.write(source_id="soruce_id")
    outlines.of_file("misspelt column")
    outlines.found.append(Found("fmc_uia", "unknown sources"))
    _harm_tables(lungs, nerves)
    return [found for table in tables for found in table.found]


def _harm_images(table: Table) -> None:
    def damage(content: bytes, kind: str) -> None:
        row = table.harm(kind)
        table.file(row).write_bytes(content)

    whole = table.file(table.rows[0]).read_bytes()
    damage(whole[: len(whole) // 2], "truncated file")
    damage(whole[:-16], "truncated file")
    damage(whole[:6], "truncated file")
    damage(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2), "unreadable image")
    damage(b"", "empty file")
    damage(b"<html>not found</html>", "not an image")
    damage(_png_that_claims(60_000, 60_000), "too many pixels")
    damage(_png_that_claims(12_000, 9_000), "too many pixels")
    row = table.harm("several images")
    image = Image.open(table.file(row))
    image.save(table.file(row), "GIF", save_all=True, append_images=[image.rotate(180)])
    row = table.harm("pixel format")
    Image.fromarray(table.pixels(row).astype(np.float32)).save(table.file(row), "TIFF")
    row = table.harm("blank image")
    Image.new("L", (90, 70)).save(table.file(row))
    row = table.harm("odd image size")
    Image.open(table.file(row)).resize((6, 200)).save(table.file(row))
    row = table.harm("burnt-in annotation")
    image = Image.open(table.file(row)).convert("RGB")
    ImageDraw.Draw(image).text((60, 60), "12.4 mm", fill=(90, 255, 90))
    image.save(table.file(row))


def _png_that_claims(width: int, height: int) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        head, tail = struct.pack(">I", len(content)), zlib.crc32(name + content)
        return head + name + content + struct.pack(">I", tail)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(99))), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _harm_rows(table: Table, root: Path) -> None:
    table.harm("class out of range", mask="2")
    table.harm("class out of range", mask="-1")
    table.harm("wrong value", mask="benign")
    table.harm("missing value", mask="")
    table.harm("missing value", image_path="")
    table.harm("missing file", image_path="../Classification/none.png")
    table.harm("path outside the root", image_path="/etc/hostname")
    table.harm("path outside the root", image_path="../../../outside.png")
    row = table.harm("path outside the root")
    outside = root.parent / "outside.png"
    table.file(row).rename(outside)
    table.file(row).symlink_to(outside)
    table.harm("num_classes", num_classes="3")
    table.harm("task_name", task_name="clasification")
    table.harm("num_classes", "class out of range", num_classes="3", mask="7")
    row = table.harm("class out of range", "truncated file", mask="7")
    table.file(row).write_bytes(table.file(row).read_bytes()[:2000])


def _repeat_images(table: Table) -> None:
    table.rows.append(dict(table.take()))
    table.expect(table.rows[-1], "duplicate row")
    row = table.take()
    other = str(1 - int(row["mask"]))
    table.rows.append({**row, "mask": other})
    table.expect(table.rows[-1], "duplicate row", "two labels of one image")
    row = table.copy_of(table.take(), "copy.png")
    table.expect(row, "duplicate image")
    row = table.take()
    other = str(1 - int(row["mask"]))
    row = table.copy_of(row, "relabelled.png", mask=other)
    table.expect(row, "duplicate image", "two labels of one image")
    row = table.copy_of(table.take(), "brighter.png", source_id="somebody else")
    Image.fromarray(np.clip(table.pixels(row) * 1.2, 0, 255).astype(np.uint8)).save(table.file(row))
    table.expect(row, "near-duplicate")


def _harm_masks(table: Table) -> None:
    def paint(*kinds: str, change: object) -> Row:
        row = table.harm(*kinds)
        Image.fromarray(change(table.pixels(row, "mask_path"))).save(table.file(row, "mask_path"))
        return row

    paint("size mismatch", change=lambda mask: mask[:-10])
    paint("mask of 0 and 255", change=lambda mask: mask * 255)
    paint("mask values", change=lambda mask: mask * 3)
    paint("empty mask", change=lambda mask: mask * 0)
    paint("mask format", change=lambda mask: np.stack([mask, mask * 2, mask], axis=2))
    paint("size mismatch", "mask of 0 and 255", change=lambda mask: mask[:-10] * 255)
    row = paint("truncated file", "mask of 0 and 255", change=lambda mask: mask * 255)
    table.file(row).write_bytes(table.file(row).read_bytes()[:900])
    row = table.harm("truncated file")
    table.file(row, "mask_path").write_bytes(table.file(row, "mask_path").read_bytes()[:90])
    table.harm("missing value", mask_path="")
    table.harm("missing file", mask_path="../masks/none.png")
    table.harm("path outside the root", mask_path="../../mask.png")
    row = paint("num_classes", "mask of 0 and 255", change=lambda mask: mask * 255)
    row["num_classes"] = "4"


def _harm_boxes(table: Table) -> None:
    box = {"x_min": "40", "y_min": "50", "x_max": "90", "y_max": "95"}
    table.harm("inverted box", **{**box, "x_max": "30"})
    table.harm("empty box", **{**box, "x_max": "40"})
    table.harm("box outside", **{**box, "x_max": "400"})
    table.harm("box outside", **{**box, "y_min": "-20"})
    table.harm("tiny box", **{**box, "x_max": "42", "y_max": "53"})
    table.harm("tiny box", x_min="0.1", y_min="0.2", x_max="0.5", y_max="0.6")
    table.harm("wrong value", **{**box, "x_max": "nan"})
    table.harm("missing value", **{**box, "x_max": ""})
    table.harm("inverted box", "box outside", **{**box, "x_max": "30", "y_max": "900"})
    row = table.harm("inverted box", "empty file", **{**box, "x_max": "30"})
    table.file(row).write_bytes(b"")


def _harm_points(table: Table) -> None:
    table.harm("missing point", point_2_xy="")
    table.harm("missing point", "missing point", point_2_xy="", point_4_xy="")
    table.harm("wrong value", point_1_xy="[NaN, 3]")
    table.harm("point outside", point_1_xy="[500, 20]")
    table.harm("point outside", point_1_xy="[-1, -1]")
    table.harm("points in one place", point_1_xy="[50, 60]", point_3_xy="[50, 60]")
    table.harm("point at (0, 0)", point_1_xy="[0, 0]")
    shares = {f"point_{i}_xy": f"[0.{i}, 0.5]" for i in range(1, 5)}
    table.harm("points as shares", **shares)


def _part(table: Table) -> None:
    """An official split, with related records on both of its sides."""
    for row in table.rows:
        row["split"] = "train"
    sources = [row["source_id"] for row in table.rows]
    several = [row for row in table.rows if sources.count(row["source_id"]) > 2]
    several[1]["split"] = "test"
    table.expect(several[1], "source on two sides")
    alone = [row for row in table.rows if sources.count(row["source_id"]) == 1]
    row = table.copy_of(alone[0], "same.png", split="val", source_id="new 1")
    table.expect(row, "duplicate on two sides")
    row = table.copy_of(alone[1], "near.jpg", split="test", source_id="new 2")
    Image.fromarray(np.array(Image.open(table.file(row)))).save(table.file(row), quality=80)
    table.expect(row, "near-duplicate on two sides")
    alone[2]["split"] = "dev"
    table.expect(alone[2], "wrong value")


def _harm_tables(lungs: Table, nerves: Table) -> None:
    path = lungs.root / "csv_files" / "lung_abnormal_2cls.csv"
    lines = path.read_text().splitlines()
    lines[3] = ",".join(lines[3].split(",")[:4])
    lines[5] += ",more"
    path.write_text("\n".join(lines) + "\n")
    lungs.of_file("broken row", 4)
    lungs.of_file("broken row", 6)
    nerves.harm("task without a spec", task_id="nerve_vesel_multi")
    nerves.harm("missing value", task_id="")
    nerves.write()
