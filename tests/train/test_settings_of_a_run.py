"""A run's config.yaml says which network it was, whatever is installed later."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import Usmt
from ruamel.yaml import YAML
from small_runs import QUICK, tasks

NETWORK = ("--set", "backbone.name=test_resnet", "--set", "backbone.weights=none")
COMMAND = ("train", *tasks("fetal_femur", "fetal_plane_cls"), *QUICK, *NETWORK)

TWIN = """
from usmt import BackboneFamily, hookimpl


class Twin(BackboneFamily):
    name = "twin"

    def cards(self):
        return []

    def has(self, name):
        return name == "test_resnet"

    def build(self, name, **options):
        raise NotImplementedError


@hookimpl
def usmt_backbones():
    return [Twin]
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run on a network of four blocks."""
    from usmt.cli.main import main

    out = tmp_path_factory.mktemp("trained") / "run"
    assert main([*COMMAND, "--set", "epochs=1", "--out", str(out)]) == 0
    return out


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    """A plugin that comes later, with a network of the same name."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "twin_of_test_resnet.py").write_text(TWIN)
    return folder


def settings_of(run: Path) -> dict:
    return YAML(typ="safe").load(run / "config.yaml")


def test_names_and_defaults_are_written_out(trained: Path):
    settings = settings_of(trained)
    assert settings["backbone"]["name"] == "timm:test_resnet"
    assert settings["moe"]["blocks"] == 4  # of six by default: all that there are


def test_without_experts_their_blocks_stay_open(usmt: Usmt, tmp_path: Path):
    out = tmp_path / "run"
    assert usmt(*COMMAND, "--moe", "off", "--set", "epochs=1", "--out", out).code == 0
    assert settings_of(out)["moe"]["blocks"] is None


def test_more_blocks_than_there_are_is_an_error_where_they_were_asked_for(
    usmt: Usmt, tmp_path: Path
):
    answer = usmt(*COMMAND, "--set", "moe.blocks=6", "--out", tmp_path / "run")
    assert answer.code == 1 and "moe.blocks is 6, but the backbone has 4 blocks" in answer.err


def test_a_network_of_the_same_name_that_comes_later_is_another(
    usmt: Usmt, trained: Path, twin: Path
):
    answer = usmt("evaluate", trained, "--plugins-dir", twin, "--json")
    assert answer.code == 0, answer.err
    answer = usmt(*COMMAND, "--dry-run", "--plugins-dir", twin)
    assert answer.code == 1 and "Write timm:test_resnet or twin:test_resnet" in answer.err


def test_an_older_run_with_a_plain_name_loads(usmt: Usmt, trained: Path, tmp_path: Path):
    before = usmt("evaluate", trained, "--json").data
    older = tmp_path / "older"
    shutil.copytree(trained, older)
    config = older / "config.yaml"
    config.write_text(config.read_text().replace("timm:test_resnet", "test_resnet"))
    assert settings_of(older)["backbone"]["name"] == "test_resnet"
    answer = usmt("evaluate", older, "--json")
    assert answer.code == 0, answer.err
    assert answer.data["tasks"] == before["tasks"]
    (older / "scores.json").unlink()
    answer = usmt("train", "--resume", older)
    assert answer.code == 0, answer.err
    assert settings_of(older)["backbone"]["name"] == "test_resnet"


def test_the_audit_says_what_the_mixture_adds(usmt: Usmt):
    def audit(*options: str) -> dict:
        return usmt(*COMMAND, *options, "--dry-run", "--json").data["audit"]

    def parameters(found: dict) -> int:
        return found["frozen"] + sum(group["parameters"] for group in found["groups"])

    dense, mixed = audit("--moe", "off"), audit()
    assert dense["added"] == 0
    assert mixed["added"] == parameters(mixed) - parameters(dense) > 0
