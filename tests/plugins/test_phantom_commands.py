"""`usmt phantom sheet`: the picture, and what is said when there is none."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from usmt import load_catalogue, load_plugins
from usmt.cli.main import main
from usmt_phantom.casting import can_draw


def sheet(*options: str) -> int:
    return main(["phantom", "sheet", *options])


def test_it_tells_where_the_picture_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "new" / "sheet.png"
    options = ("--task", "lung", "--task", "breast_2cls", "--size", "64", "--out", str(out))
    assert sheet(*options) == 0
    assert capsys.readouterr().out == f"{out}\n"
    picture = Image.open(out)
    assert picture.format == "PNG"
    # Two tasks side by side, each with four pictures of 64 pixels and their gaps.
    assert picture.size == (2 * (4 * 68 + 8), 68 + 16)


def test_pictures_come_with_labels_and_repeat(tmp_path: Path):
    drawn = []
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        out = tmp_path / f"{name}.png"
        options = ("--task", "fetal_head", "--columns", "1", "--size", "64", "--seed", seed)
        assert sheet(*options, "--out", str(out)) == 0
        drawn.append(np.asarray(Image.open(out)).astype(int))
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    bare, labelled = drawn[0][16:64, 4:68], drawn[0][16:64, 72:136]
    assert np.array_equal(bare[..., 0], bare[..., 2])
    assert (labelled[..., 0] != labelled[..., 2]).mean() > 0.05


def test_all_tasks_are_drawn_without_a_name(tmp_path: Path):
    out = tmp_path / "sheet.jpg"  # a PNG whatever its name
    assert sheet("--size", "32", "--columns", "1", "--out", str(out)) == 0
    picture = Image.open(out)
    assert picture.format == "PNG"
    tasks = load_catalogue(load_plugins()).tasks.values()
    drawn = sum(can_draw(task) for task in tasks)
    assert drawn >= 27 and picture.height == math.ceil(drawn / 2) * (36 + 16)


def test_a_misspelt_task_is_told_the_near_name(capsys: pytest.CaptureFixture[str]):
    assert sheet("--task", "fetal_hed") == 1
    told = capsys.readouterr().err
    assert "there is no task 'fetal_hed'" in told
    assert "'fetal_head'" in told


def test_a_folder_cannot_be_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert sheet("--task", "lung", "--size", "32", "--out", str(tmp_path)) == 1
    assert f"{tmp_path} cannot be written" in capsys.readouterr().err


MOVIE = """
import usmt

class Movie(usmt.TaskType):
    name = "movie"
    primary = "error"
    problems = wrap = target = head = loss = decode = metrics = lambda self, *given: None
    selection_score = trivial = draw_label = draw_result = lambda self, *given: None

@usmt.hookimpl
def usmt_task_types():
    return [Movie]
"""
SPEC = "id: beat\ntitle: Heart beat\ntype: movie\norgan: heart\ndataset: ward\nflip: none\n"


def test_a_task_that_cannot_be_drawn_is_left_out_unless_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose" / "movie_tasks.py").write_text(MOVIE)
    (tmp_path / "more" / "tasks").mkdir(parents=True)
    (tmp_path / "more" / "tasks" / "beat.yaml").write_text(SPEC)
    monkeypatch.setenv("USMT_PLUGINS_DIR", str(tmp_path / "loose"))
    monkeypatch.setenv("USMT_SPECS", str(tmp_path / "more"))
    assert sheet("--task", "beat") == 1
    assert "its type is 'movie'" in capsys.readouterr().err
    assert sheet("--size", "32", "--columns", "1", "--out", str(tmp_path / "all.png")) == 0
