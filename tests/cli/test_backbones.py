"""`usmt backbones`: the cards of all families, and names that are not clear."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Usmt

from usmt.errors import ConfigError
from usmt.model.find_backbone import find_backbone
from usmt.plugins import load_plugins

DINOV3 = "vit_base_patch16_dinov3.lvd1689m"
KEYS = {
    *("name", "family", "plugin", "title", "parameters", "width", "strides", "multiple"),
    *("mean", "std", "licence", "weights", "gated", "obtain", "citation"),
}

TWIN = """
from usmt import BackboneCard, BackboneFamily, hookimpl

class Twin(BackboneFamily):
    name = "twin"

    def cards(self):
        half = (0.5, 0.5, 0.5)
        return [BackboneCard("NAME", "a twin", 1, 8, (16,) * 4, 16, half, half)]

    def has(self, name):
        return name == "NAME"

    def build(self, name, **options):
        raise NotImplementedError

@hookimpl
def usmt_backbones():
    return [Twin]
"""

NO_MLP = """from torch import nn
        from usmt import Block, Encoder
        net = nn.Conv2d(3, 8, 16, 16)
        return Encoder(net, lambda net, images: [net(images)], [Block(net, 8)], (0,) * 3, (1,) * 3)
"""
WRONG_MAPS = NO_MLP.replace("net(images)", "net(images[0, 0])").replace("[Block(net, 8)]", "[]")


@pytest.fixture
def twins(tmp_path: Path, usmt: Usmt) -> Path:
    """A folder with a plugin whose family has a name that timm has too."""
    (tmp_path / "twin_plugin.py").write_text(TWIN.replace("NAME", "test_vit"))
    return tmp_path


def test_list_and_show(usmt: Usmt):
    rows = usmt("backbones", "list", "--json").data
    assert all(set(row) == KEYS for row in rows)
    (row,) = [row for row in rows if row["name"] == DINOV3]
    assert row["family"] == row["plugin"] == "timm"
    assert row["parameters"] == 85_641_216 and row["gated"] is False
    assert "dinov3-license" in row["obtain"]
    assert usmt("backbones", "show", DINOV3, "--json").data == row
    assert usmt("backbones", "show", f"timm:{DINOV3}", "--json").data == row
    told = usmt("backbones", "show", DINOV3).out
    assert "85641216" in told and "0.485, 0.456, 0.406" in told
    listed = usmt("backbones", "list", "--family", "timm").out
    assert "85.6 M" in listed and "4, 8, 16, 32" in listed
    assert "family timm" in listed and "family usfm" not in listed
    assert "family usfm" in usmt("backbones", "list").out
    only = usmt("backbones", "list", "--family", "timm", "--json").data
    assert {row["family"] for row in only} == {"timm"}


def test_one_that_is_not_listed_is_shown(usmt: Usmt):
    shown = usmt("backbones", "show", "convnext_pico", "--json").data
    assert set(shown) == KEYS and shown["strides"] == [4, 8, 16, 32]


def test_list_imports_nothing_slow():
    probe = (
        "import sys; from usmt.cli.main import main; code = main(sys.argv[1:]);"
        "slow = {'torch', 'timm', 'transformers'} & set(sys.modules);"
        "sys.exit(code or ','.join(slow) or 0)"
    )
    for command in (["list"], ["list", "--json"], ["show", DINOV3]):
        done = subprocess.run(
            [sys.executable, "-c", probe, "backbones", *command], capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("show", "vit_base_patch16_dinov3.lvd16"), "timm has no weights 'lvd16'"),
        (("show", "vit_bse_patch16_dinov3.lvd1689m"), f"did you mean '{DINOV3}'"),
        (("show", "timm:vit_bse_patch16_dinov3.lvd1689m"), "the family timm has no backbone"),
        (("show", "tim:test_vit"), "did you mean 'timm'"),
        (("show", "vgg11"), "another kind of network (vgg)"),
        (("show", "test_vit."), "did you mean 'test_vit'"),
        (("list", "--family", "tim"), "did you mean 'timm'"),
    ],
)
def test_names_that_are_wrong(usmt: Usmt, command, said: str):
    answer = usmt("backbones", *command)
    assert answer.code == 1 and answer.out == "" and said in answer.err


def test_a_name_that_two_families_have(usmt: Usmt, twins: Path):
    rows = usmt("backbones", "list", "--plugins-dir", twins, "--json").data
    assert [row["plugin"] for row in rows if row["name"] == "test_vit"] == ["twin_plugin"]
    answer = usmt("backbones", "show", "test_vit", "--plugins-dir", twins)
    assert answer.code == 1 and "twin" in answer.err
    assert "Write timm:test_vit or twin:test_vit" in answer.err
    shown = usmt("backbones", "show", "twin:test_vit", "--plugins-dir", twins, "--json").data
    assert shown["title"] == "a twin" and shown["licence"] == ""


def test_a_family_of_a_plugin_that_failed(usmt: Usmt, tmp_path: Path):
    (tmp_path / "broken_plugin.py").write_text("raise RuntimeError('no licence server')\n")
    answer = usmt("backbones", "show", "house:vit", "--plugins-dir", tmp_path)
    assert answer.code == 1 and "plugin broken_plugin" in answer.err
    assert "no licence server" in answer.err
    answer = usmt("backbones", "show", "house_vit", "--plugins-dir", tmp_path)
    assert answer.code == 1 and "no licence server" in answer.err


def test_a_family_that_breaks_harms_no_other(usmt: Usmt, tmp_path: Path):
    broken = TWIN.replace("        half =", "        raise OSError('disk gone')\n        half =")
    broken = broken.replace("return name ==", "return 1 / 0 and name ==")
    (tmp_path / "breaking_plugin.py").write_text(broken)
    answer = usmt("backbones", "list", "--plugins-dir", tmp_path)
    assert answer.code == 0 and DINOV3 in answer.out
    assert "the family twin failed: OSError: disk gone" in answer.err
    assert usmt("backbones", "show", DINOV3, "--plugins-dir", tmp_path).code == 0
    answer = usmt("backbones", "show", "house_vit", "--plugins-dir", tmp_path)
    assert answer.code == 1 and "the family twin failed: ZeroDivisionError" in answer.err


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "raise NotImplementedError",
            "raise OSError('disk gone')",
            "building house: OSError: disk",
        ),
        ("raise NotImplementedError", "return None", "its family built no usmt.Encoder, but None"),
        ("raise NotImplementedError", NO_MLP, "block 1, a Conv2d, has no 'mlp'"),
        ("raise NotImplementedError", WRONG_MAPS, "backbone house, given one image: RuntimeError"),
        ("def cards", "def __init__(self):\n        1 / 0\n\n    def cards", "ZeroDivisionError"),
    ],
)
def test_what_a_family_does_wrong_is_told_with_its_line(
    usmt: Usmt, tmp_path: Path, old: str, new: str, said: str
):
    text = TWIN.replace("NAME", "house").replace(old, new)
    plugin = tmp_path / f"house_{tmp_path.name[-8:]}.py"  # a module of its own for each case
    plugin.write_text(text)
    answer = usmt(
        *("train", "--task", "fetal_head", "--dry-run", "--plugins-dir", tmp_path),
        *("--set", "data.phantom={images: 12, size: 64}", "--set", "image_size=64"),
        *("--set", "backbone.name=house", "--set", "backbone.weights=none"),
        *("--out", tmp_path / "run"),
    )
    assert answer.code == 1 and said in answer.err
    assert "built no" in said or "has no" in said or f"{plugin.name}:" in answer.err
    assert usmt("backbones", "show", "timm:test_vit", "--plugins-dir", tmp_path).code == 0


def test_training_names_it_the_same_way(usmt: Usmt, tmp_path: Path):
    answer = usmt(
        *("train", "--task", "fetal_head", "--dry-run", "--out", tmp_path / "run"),
        *("--set", "data.phantom={images: 12, size: 64}", "--set", "image_size=64"),
        *("--set", "backbone.name=vit_tiny_patch16_dinov3_qkv"),
    )
    assert answer.code == 1 and "did you mean 'vit_tiny_patch16_dinov3_qkvb'" in answer.err


def test_a_disabled_plugin_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("USMT_DISABLE_PLUGINS", "timm")
    with pytest.raises(ConfigError, match=r"plugin timm .* is disabled"):
        find_backbone(load_plugins(), DINOV3)
