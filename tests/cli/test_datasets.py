"""`usmt datasets`: what is told of datasets, and that all of them have something to tell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import Usmt

KEYS = [
    *("name", "title", "organ", "images", "home", "licence", "citation", "obtain", "sources"),
    *("splits", "files", "synthetic", "tasks", "groups", "options", "layout", "plugin"),
]
OWN = {"csv", "folder"}
"""What a user brings along has no home, licence or citation."""

SPEC = """
id: birads
title: BI-RADS
type: classification
organ: breast
dataset: folder
flip: horizontal
classes: [benign, malignant]
"""
PLUGIN = """
import usmt
from pydantic import Field

class WardLayout(usmt.DatasetLayout):
    \"\"\"Where the ward keeps things.\"\"\"
    shelf: int = Field(default=3, description="number of the shelf")

class Ward(usmt.Dataset):
    name = "ward"
    Layout = WardLayout
    records = read_image = read_label = lambda self, *given: None

@usmt.hookimpl
def usmt_datasets():
    return [Ward]
"""


@pytest.fixture
def datasets(usmt: Usmt) -> dict[str, dict[str, Any]]:
    answer = usmt("datasets", "list", "--json")
    assert (answer.code, answer.err) == (0, "")
    return {each["name"]: each for each in answer.data}


def test_the_list(datasets: dict[str, dict[str, Any]], usmt: Usmt) -> None:
    assert {"fmc_uia", "phantom", "folder", "csv"} <= set(datasets)
    assert all(list(each) == KEYS for each in datasets.values())
    fmc = datasets["fmc_uia"]
    assert len(fmc["tasks"]) == 27 and {"ob", "breast", "lung"} <= set(fmc["groups"])
    assert fmc["images"] == 40_388 and fmc["plugin"] == "fmc_uia"
    assert [name for name, each in datasets.items() if each["synthetic"]] == ["phantom"]
    lines = usmt("datasets", "list").out.splitlines()
    assert len(lines) == len(datasets) + 1
    assert lines[0].split()[:3] == ["name", "title", "images"]


def test_every_card_is_filled_in(datasets: dict[str, dict[str, Any]]) -> None:
    for name, card in datasets.items():
        for key in ("title", "obtain", "sources", "splits", "files"):
            assert card[key].strip(), (name, key)
        if name not in OWN:
            assert card["licence"], name
        if name not in {*OWN, "phantom"}:
            assert card["citation"] and card["home"].startswith("http"), name
            assert card["tasks"], name
        for key in [*card["options"], *card["layout"]]:
            assert key["key"] and isinstance(key["required"], bool)


def test_one_dataset(usmt: Usmt, datasets: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    assert usmt("datasets", "show", "csv", "--json").data == datasets["csv"]
    text = usmt("datasets", "show", "csv").out
    for said in ("ROOT/", "└── images", "data.csv.KEY", "delimiter", "'comma' or", "required"):
        assert said in text
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "birads.yaml").write_text(SPEC)
    own = usmt("datasets", "show", "folder", "--specs", tmp_path, "--json").data
    assert own["tasks"] == ["birads"] and datasets["folder"]["tasks"] == []
    assert "birads" in usmt("datasets", "show", "folder", "--specs", tmp_path).out


def test_a_dataset_of_a_plugin_that_says_little(usmt: Usmt, tmp_path: Path) -> None:
    (tmp_path / "ward_plugin.py").write_text(PLUGIN)
    answer = usmt("datasets", "show", "ward", "--plugins-dir", tmp_path)
    assert answer.code == 0
    assert "Where the ward keeps things." in answer.out and "number of the shelf" in answer.out
    data = usmt("datasets", "show", "ward", "--plugins-dir", tmp_path, "--json").data
    assert data["plugin"] == "ward_plugin" and data["title"] == ""
    assert data["layout"] == [
        {
            "key": "shelf",
            "type": "a whole number",
            "required": False,
            "default": 3,
            "meaning": "number of the shelf",
        }
    ]


def test_a_misspelt_name(usmt: Usmt) -> None:
    answer = usmt("datasets", "show", "foldr")
    assert answer.code == 1 and answer.out == ""
    assert "did you mean 'folder'?" in answer.err and "Traceback" not in answer.err


@pytest.mark.parametrize("command", [["list"], ["show", "fmc_uia"]], ids=" ".join)
def test_no_torch_is_imported(command: list[str]) -> None:
    code = (
        "import sys; from usmt.cli.main import main; code = main(['datasets', *sys.argv[1:]]); "
        "slow = {'torch', 'timm', 'transformers', 'nibabel', 'cv2', 'scipy'} & set(sys.modules); "
        "sys.exit(code or ','.join(slow) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
