"""What a family of backbones does wrong is told as its fault, with the line where to look."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import Usmt

from usmt import load_plugins
from usmt.errors import PluginError
from usmt.model.backbone import build_backbone

PLUGIN = """from functools import partial

from usmt import BackboneCard, BackboneFamily, Block, Encoder, hookimpl


def read(network, images, power):  # maps
    return [network.body(network.stem(images))]


class House(BackboneFamily):
    name = "house"

    def cards(self):
        return [BackboneCard("home", "a house", 1, 8, (16,), 16, (0.5,) * 3, (0.5,) * 3)]

    def has(self, name):
        return name == "home"

    def build(self, name, **options):  # build
        import torch
        from torch import nn

        class Body(nn.Module):
            def __init__(self):
                super().__init__()
                self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))

            def forward(self, maps):
                return maps + self.mlp(maps.movedim(1, -1)).movedim(-1, 1)

        network = nn.Module()
        network.stem, network.body = nn.Conv2d(3, 8, 16, 16), Body()
        network.idle = nn.Linear(8, 8)
        stem, body = network.stem, network.body
        blocks = [Block(stem, 8, None), Block(body, 8)]
        return Encoder(network, partial(read, power=2), blocks, (0.5,) * 3, (0.5,) * 3)


@hookimpl
def usmt_backbones():
    return [House]
"""

FORWARD = "self.mlp(maps.movedim(1, -1)).movedim(-1, 1)"
BLOCKS = "[Block(stem, 8, None), Block(body, 8)]"
FAULTS = {
    "a block's width": (
        "Block(stem, 8, None)",
        "Block(stem, 16, None)",
        "block 1, a Conv2d, gives (1, 8, 4, 4) for one image, expected (1, 16, h, w)",
        "build",
    ),
    "the width of a block with an Mlp": (
        "Block(body, 8)",
        "Block(body, 32)",
        "the 'mlp' of block 2, a Body, reads (1, 4, 4, 8) for one image, expected (1, ..., 32)",
        "build",
    ),
    "tokens of all images together": (
        FORWARD,
        "self.mlp(maps.movedim(1, -1).flatten(0, 2)).view(1, 4, 4, 8).movedim(-1, 1)",
        "the 'mlp' of block 2, a Body, reads (16, 8) for one image",
        "build",
    ),
    "another name": (
        "Block(body, 8)",
        "Block(body, 8, 'ffn')",
        "block 2, a Body, has no 'ffn'; its parts: mlp",
        "build",
    ),
    "a part of the Mlp alone": (
        "Block(body, 8)",
        "Block(body.mlp, 8, '0')",
        "the '0' of block 2, a Sequential, gives (1, 4, 4, 16) for one image",
        "build",
    ),
    "a block that takes no part": (
        "Block(body, 8)]",
        "Block(body, 8), Block(network.idle, 8, None)]",
        "block 3, a Linear, is not called",
        "build",
    ),
    "modules for blocks": (
        BLOCKS,
        "[stem, body]",
        "block 1 is no usmt.Block, but a Conv2d",
        "build",
    ),
    "a block's name for the block": (
        BLOCKS,
        "[Block('body', 8)]",
        "block 1 is no torch module, but a str",
        "build",
    ),
    "blocks that are read once": (
        BLOCKS,
        f"iter({BLOCKS})",
        "its blocks are no list of usmt.Block, but a list_iterator",
        "build",
    ),
    "no encoder": ("return Encoder(", "return print and (", "built no usmt.Encoder", "build"),
    "tokens for maps": (
        "return [network.body(network.stem(images))]",
        "return [network.body(network.stem(images)).flatten(2)]",
        "it gives a map of shape (1, 8, 16), expected (1, C, h, h)",
        "maps",
    ),
    "a tensor for a list": (
        "return [network.body(network.stem(images))]",
        "return network.body(network.stem(images))",
        "its maps are not a list of tensors, but a Tensor",
        "maps",
    ),
    "maps that break": (
        "network.body(network.stem(images))]",
        "network.body(network.stem(images[0, 0]))]",
        "given one image: RuntimeError",
        None,
    ),
}


def write(folder: Path, old: str = "", new: str = "") -> Path:
    """A module of its own for each case, as Python keeps those that it has imported."""
    assert old in PLUGIN
    plugin = folder / f"faulty_{re.sub(r'[^0-9a-z]', '_', folder.name.lower())}.py"
    plugin.write_text(PLUGIN.replace(old, new) if old else PLUGIN)
    return plugin


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_of_a_family_is_told_with_its_line(tmp_path: Path, case: str):
    old, new, said, at = FAULTS[case]
    plugin = write(tmp_path, old, new)
    with pytest.raises(PluginError) as caught:
        build_backbone(load_plugins([tmp_path]), "house:home", weights="none", image_size=64)
    told = str(caught.value)
    assert said in told and "backbone home" in told and "a fault of the plugin" in told
    lines = plugin.read_text().splitlines()
    place = re.search(rf"{plugin.name}:(\d+)", told)
    assert place is not None, told
    if at is not None:
        assert lines[int(place[1]) - 1].endswith(f"# {at}")


def test_a_sound_family_is_named_in_full_and_watched_no_longer(tmp_path: Path):
    write(tmp_path)
    for name in ("home", "house:home"):
        backbone = build_backbone(
            load_plugins([tmp_path]), name, weights="none", image_size=64, load=False
        )
        assert backbone.name == "house:home"
        assert not any(module._forward_hooks for module in backbone.modules())


def test_the_command_line_says_it_without_a_traceback(usmt: Usmt, tmp_path: Path):
    write(tmp_path, "Block(body, 8)", "Block(body, 32)")
    answer = usmt(
        *("train", "--task", "fetal_head", "--dry-run", "--plugins-dir", tmp_path, "--moe", "on"),
        *("--set", "data.phantom={images: 12, size: 64}", "--set", "image_size=64"),
        *("--set", "backbone.name=home", "--set", "backbone.weights=none"),
        *("--out", tmp_path / "run"),
    )
    assert answer.code == 1 and "expected (1, ..., 32)" in answer.err
    assert "Traceback" not in answer.err and "usmt plugins list" in answer.err


def test_a_family_that_there_is_not_is_called_a_family(tmp_path: Path):
    with pytest.raises(PluginError) as caught:
        build_backbone(load_plugins(), "tim:test_vit", weights="none", image_size=64)
    told = str(caught.value)
    assert "no plugin gives the family of backbones 'tim' (did you mean 'timm'?)" in told
    assert "Those that there are: " in told and "timm" in told.split("there are: ")[1]
