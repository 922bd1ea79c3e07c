"""A small good copy of everything that a user can spoil, in one folder.

data/       sixteen real images of a task of each type, in the challenge's layout
specs/      a task and a group of the user's own
config.yaml settings of a run that lasts seconds
run/        such a run, finished
stopped/    the same, of which an epoch is still to be trained
"""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
from pathlib import Path

from usmt.cli.main import main

TASKS = ("breast_lesion", "breast_2cls", "fetal_head_axes_reg", "breast_lesion_det")
"""One of each type: segmentation, classification, landmarks, detection."""

IMAGES = 16

TASK = """\
id: ward_lesion
title: Breast lesion, outline
type: segmentation
organ: breast
dataset: fmc_uia
flip: horizontal
classes: [background, lesion]
"""
GROUP = """\
id: ward
title: Tasks of the ward
tasks: [ward_lesion, breast_lesion]
"""
CONFIG = """\
image_size: 64
backbone: {name: test_vit}
moe: {experts: 2, blocks: 2}
task_types:
  segmentation: {fusion_channels: 16, intermediate_channels: [16, 16, 16, 16]}
tasks: [breast_lesion, breast_2cls, fetal_head_axes_reg, breast_lesion_det]
epochs: 2
cache: {disk_mb: 0}
"""


def make(folder: Path, realus: Path, realus_specs: Path) -> None:
    """Fills an empty folder."""
    for task in TASKS:
        _copy_task(realus, folder / "data", task)
    for name in ("fetal_head_axes_reg", "breast_lesion_det"):
        write(
            folder / f"specs/tasks/{name}.yaml", (realus_specs / f"tasks/{name}.yaml").read_text()
        )
    write(folder / "specs/tasks/ward_lesion.yaml", TASK)
    write(folder / "specs/groups/ward.yaml", GROUP)
    write(folder / "config.yaml", CONFIG)
    train = ["train", "--config", folder / "config.yaml", "--data", f"fmc_uia={folder / 'data'}"]
    train += ["--specs", folder / "specs", "--set", "epochs=1", "--out", folder / "run"]
    assert main([str(part) for part in train]) == 0


def copy(good: Path, folder: Path) -> None:
    """Copies what `make` made; the runs of the copy read the data of the copy."""
    shutil.copytree(good, folder, dirs_exist_ok=True)
    config = folder / "run/config.yaml"
    write(config, config.read_text().replace(str(good), str(folder)))
    (folder / "run").rename(folder / "stopped")
    shutil.copytree(folder / "stopped", folder / "run", ignore=shutil.ignore_patterns("last"))
    (folder / "stopped/scores.json").unlink()
    config = folder / "stopped/config.yaml"
    write(config, config.read_text().replace("epochs: 1", "epochs: 2"))


def contents(folder: Path) -> dict[str, str]:
    """Every file, link and folder below a folder, hidden ones too, with a hash of what it holds."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            held = f"link to {path.readlink()}"
        elif path.is_dir():
            held = "folder"
        else:
            held = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(folder))] = held
    return found


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _copy_task(pack: Path, root: Path, task: str) -> None:
    """The task's first images, named 01.png and so on; its CSV without the columns of licences."""
    folder = root / "csv_files"
    folder.mkdir(parents=True, exist_ok=True)
    with (pack / f"csv_files/{task}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:IMAGES]
    for number, row in enumerate(rows, start=1):
        for column in [name for name in row if name.endswith("_path")]:
            place = f"../{column.removesuffix('_path')}s/{task}/{number:02}.png"
            target = Path(os.path.normpath(folder / place))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(pack / "csv_files" / row[column], target)
            row[column] = place
    columns = [name for name in rows[0] if name not in ("source_dataset", "licence", "source_file")]
    with (folder / f"{task}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
