"""Real images: all 15 tasks of the pack in one network, for a short while.

The long version, and what it reaches, is in docs/real_images.md.
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
    assert len(rows) == 1164
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
