"""Real images: all 15 tasks of the pack in one network, for a short while.

The long version, and what it reaches, is in docs/tutorials/real_images.md.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Usmt
from PIL import Image

SHORT = ("--set", "image_size=64", "--set", "epochs=3", "--set", "moe.experts=2")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, realus: Path, realus_specs: Path) -> Path:
    from usmt.cli.main import main

    out = tmp_path_factory.mktemp("real") / "run"
    arguments = ["train", "--group", "realus", "--specs", realus_specs]
    arguments += ["--data", f"fmc_uia={realus}", *SHORT, "--out", out]
    assert main([str(argument) for argument in arguments]) == 0
    return out


def test_all_tasks_learn_and_are_scored(trained: Path):
    summary = json.loads((trained / "scores.json").read_text())
    assert len(summary["tasks"]) == 15
    assert summary["synthetic"] is False
    for name, entry in summary["tasks"].items():
        assert entry["images"] >= 9, name
        assert entry["score"] is not None and entry["trivial"] is not None, name
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    first, last = sum(lines[0]["loss"].values()), sum(lines[-1]["loss"].values())
    assert last < first


def test_no_patient_and_no_image_is_on_two_sides(trained: Path):
    with (trained / "split.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1165
    for what in ("source_id", "content", "group"):
        sides: dict[str, set[str]] = {}
        for row in rows:
            sides.setdefault(row[what], set()).add(row["side"])
        assert all(len(each) == 1 for each in sides.values()), what


def test_other_tasks_have_the_same_split(
    usmt: Usmt, tmp_path: Path, trained: Path, realus: Path, realus_specs: Path
):
    out = tmp_path / "breast"
    outcome = usmt(
        *("train", "--group", "realus_breast", "--specs", realus_specs),
        *("--data", f"fmc_uia={realus}", *SHORT, "--set", "epochs=1", "--out", out),
    )
    assert outcome.code == 0, outcome.err
    assert (out / "split.csv").read_bytes() == (trained / "split.csv").read_bytes()


def test_other_data_are_scored_as_new_images(
    usmt: Usmt, tmp_path: Path, trained: Path, realus: Path
):
    """Images that the run has not seen are all on the test side, also without any to train on."""
    root = tmp_path / "new"
    (root / "csv_files").mkdir(parents=True)
    some = ("breast_lesion", "organ_5cls", "fetal_head_axes_reg", "ovary_tumor_det")
    for task in some:
        table = realus / "csv_files" / f"{task}.csv"
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))[:6]
        for row in rows:
            row["source_id"] = f"another {row['source_id']}"
            copy_flipped(realus, root, row["image_path"])
            if "mask_path" in row:
                copy_flipped(realus, root, row["mask_path"])
        with (root / "csv_files" / table.name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    data = ("--data", f"fmc_uia={root}", "--json")
    outcome = usmt("evaluate", trained, *data)
    assert outcome.code == 1 and "no row" in outcome.err and "--task" in outcome.err
    outcome = usmt("evaluate", trained, *data, *(f"--task={task}" for task in some))
    assert outcome.code == 0, outcome.err
    assert set(outcome.data["tasks"]) == set(some)
    for entry in outcome.data["tasks"].values():
        assert entry["images"] == 6 and entry["score"] is not None
        assert entry["trivial"] is None and entry["beats_trivial"] is None


def copy_flipped(source: Path, target: Path, name: str) -> None:
    path = target / "csv_files" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source / "csv_files" / name) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)


def test_the_test_side_is_scored_in_another_process_and_place(
    trained: Path, tmp_path: Path, realus: Path
):
    """The run's own specs serve: the user's folder is not needed any more."""
    command = [sys.executable, "-m", "usmt", "evaluate", str(trained), "--split", "test", "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["split"] == "test" and len(summary["tasks"]) == 15
