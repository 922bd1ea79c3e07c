"""`usmt data cache`: filled by any number of processes, shown, cleared."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import Usmt
from real_pack import copy_pack, read_rows

from usmt.data.cache import cached_files

TASKS = ("--task", "breast_lesion", "--task", "breast_2cls")
IMAGES = 84 + 64


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("USMT_CACHE", str(folder))
    return folder


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "usmt", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def test_what_was_built_is_what_training_reads(usmt: Usmt, place: Path, tmp_path, realus):
    data = f"fmc_uia={realus}"
    changed = ("--set", "task_types.segmentation={fusion_channels: 16}")
    built = usmt("data", "cache", "build", data, *TASKS, "--size", 64, *changed, "--json")
    assert built.code == 0, built.err
    assert built.data["folder"] == str(place) and built.data["size"] == [64, 64]
    assert built.data["tasks"]["breast_lesion"] == {
        "images": 84,
        "prepared": 84,
        "present": 0,
        "unkept": 0,
        "defects": [],
    }
    files = {file.path: file.path.stat().st_mtime_ns for file in cached_files(place)}
    assert len(files) == IMAGES
    again = usmt("data", "cache", "build", data, *TASKS, "--size", 64, *changed)
    assert again.code == 0 and again.out.splitlines()[2].split() == [
        *("breast_lesion", "84", "0", "84", "0", "0")
    ]
    trained = usmt(
        *("train", "--data", data, *TASKS, "--set", "image_size=64", "--set", "epochs=1"),
        *(*changed, "--set", "moe.experts=2", "--out", tmp_path / "run"),
    )
    assert trained.code == 0, trained.err
    assert files == {file.path: file.path.stat().st_mtime_ns for file in cached_files(place)}
    other = usmt("data", "cache", "build", data, *TASKS, "--size", 64, "--json")
    assert other.data["tasks"]["breast_lesion"]["prepared"] == 84
    assert other.data["tasks"]["breast_2cls"]["prepared"] == 0


def test_without_tasks_all_that_the_data_hold(usmt: Usmt, place: Path, realus, realus_specs):
    build = ("data", "cache", "build", f"fmc_uia={realus}", "--size", 32, "--specs", realus_specs)
    answer = usmt(*build, "--json")
    assert answer.code == 0, answer.err
    assert len(answer.data["tasks"]) == 15
    assert sum(task["prepared"] for task in answer.data["tasks"].values()) == 1165
    group = usmt(*build, "--group", "realus_breast", "--json")
    assert set(group.data["tasks"]) < set(answer.data["tasks"])
    assert all(task["prepared"] == 0 for task in group.data["tasks"].values())


def test_two_processes_that_build_at_once(place: Path, usmt: Usmt, realus):
    build = ("data", "cache", "build", f"fmc_uia={realus}", *TASKS, "--size", 64)
    both = [start(*build, "--json") for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    files = list(cached_files(place))
    assert len(files) == IMAGES and all(file.finished for file in files)
    again = usmt(*build, "--json")
    assert all(task["prepared"] == 0 for task in again.data["tasks"].values())


def test_a_process_that_is_killed_leaves_nothing_that_harms(place: Path, usmt: Usmt, realus):
    build = ("data", "cache", "build", f"fmc_uia={realus}", *TASKS, "--size", 256)
    process = start(*build)
    limit = time.monotonic() + 60
    while sum(1 for _ in cached_files(place)) < 10 and time.monotonic() < limit:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    before = sum(1 for file in cached_files(place) if file.finished)
    assert 0 < before < IMAGES
    again = usmt(*build, "--json")
    assert again.code == 0, again.err
    tasks = again.data["tasks"].values()
    assert sum(task["present"] for task in tasks) == before
    assert sum(task["prepared"] for task in tasks) == IMAGES - before


def test_what_cannot_be_read_is_told_and_the_rest_is_built(usmt: Usmt, place, tmp_path, realus):
    root = copy_pack(realus, tmp_path / "root", ["breast_lesion"], 5)
    rows = read_rows(root, "breast_lesion")
    (root / "csv_files" / rows[1]["image_path"]).write_bytes(b"no image")
    (root / "csv_files" / rows[3]["mask_path"]).unlink()
    answer = usmt("data", "cache", "build", f"fmc_uia={root}", "--json")
    assert answer.code == 1
    assert answer.data["tasks"]["breast_lesion"]["prepared"] == 3
    assert "breast_lesion.csv:3: " in answer.err and "not an image" in answer.err
    assert "breast_lesion.csv:5: mask_path" in answer.err and "no such file" in answer.err


def test_a_full_cache_is_told(usmt: Usmt, place: Path, realus):
    build = ("data", "cache", "build", f"fmc_uia={realus}", *TASKS, "--size", 128)
    answer = usmt(*build, "--set", "cache.disk_mb=2")
    assert answer.code == 0 and "the cache is full" in answer.err and "2 MB" in answer.err
    assert sum(file.bytes for file in cached_files(place)) <= 2 * 2**20


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fmc_uia={realus}", "--set", "cache.disk_mb=0"), "cache.disk_mb is 0"),
        (("fmc_uia={realus}", "--set", "cache.folder={file}"), "cannot be kept in {file}"),
        (("fmc_uia={realus}", "--task", "lung"), "no row"),
        (("fmc_uia={realus}", "--task", "brest_2cls"), "did you mean 'breast_2cls'"),
        (("fmc_uia={realus}", "--size", "8"), "image_size"),
        (("fmc_uia={file}",), "no folder"),
        (("phantom", "--task", "fetal_head"), "no fingerprint"),
        (("phantom",), "no known task reads phantom"),
    ],
)
def test_mistakes_are_told(usmt: Usmt, place, tmp_path, realus, arguments, said):
    (tmp_path / "file").write_text("")
    names = {"realus": realus, "file": tmp_path / "file"}
    given = [argument.format(**names) for argument in arguments]
    answer = usmt("data", "cache", "build", *given)
    assert answer.code == 1 and said.format(**names) in answer.err


def test_the_cache_is_shown_and_cleared(usmt: Usmt, place: Path, tmp_path: Path, realus):
    empty = usmt("data", "cache", "show", "--json").data
    assert (empty["folder"], empty["files"], empty["parts"]) == (str(place), 0, [])
    assert not place.exists()
    build = ("data", "cache", "build", f"fmc_uia={realus}", *TASKS)
    assert usmt(*build, "--size", 64).code == usmt(*build, "--size", 32).code == 0
    answer = usmt("data", "cache", "show", "--json").data
    assert answer["files"] == 2 * IMAGES and answer["limit"] == 8192 * 2**20
    assert answer["bytes"] == sum(part["bytes"] for part in answer["parts"])
    parts = {(part["task"], part["size"]): part["files"] for part in answer["parts"]}
    assert parts == {
        **{("breast_lesion", size): 84 for size in ("32x32", "64x64")},
        **{("breast_2cls", size): 64 for size in ("32x32", "64x64")},
    }
    assert "breast_lesion" in usmt("data", "cache", "show").out
    foreign = place / "images" / "fmc_uia" / "breast_2cls" / "64x64" / "mine.safetensors"
    foreign.write_text("mine")
    removed = usmt("data", "cache", "clear", "--task", "breast_2cls", "--json").data
    assert removed["files"] == 2 * 64 and foreign.exists()
    assert {file.task for file in cached_files(place)} == {"breast_lesion"}
    assert usmt("data", "cache", "clear").code == 0
    assert list(cached_files(place)) == [] and foreign.exists()
    assert usmt("data", "cache", "show", "--folder", tmp_path, "--json").data["files"] == 0
