"""USFM: the released file is read as its authors' network reads it."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import published_weights
import pytest
import timm
import torch
from scipy.interpolate import RectBivariateSpline
from scipy.optimize import brentq
from torch import Tensor
from torch.nn import functional as F

from usmt import ConfigError, Encoder, WeightsError, load_plugins
from usmt.model.backbone import Backbone, build_backbone
from usmt.model.weights import Provenance, load_weights
from usmt.testing import check_backbone
from usmt_usfm.family import CARD, USFMFamily

SHARED = "rel_pos_bias.relative_position_bias_table"


def build(image_size: int, **options) -> Encoder:
    settings = {"maps": 4, "drop_path": 0.0, "pretrained": True, **options}
    return USFMFamily().build("usfm", image_size=image_size, **settings)


def load(path: Path | str, encoder: Encoder) -> Provenance:
    return load_weights(encoder, USFMFamily(), "usfm", str(path))


@pytest.fixture(scope="module")
def released() -> dict[str, Tensor]:
    return published_weights.usfm()


@pytest.fixture(scope="module")
def light(released: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of the same names and shapes, each tensor of one value: a small file."""
    return {name: one.flatten()[:1].expand(one.shape) for name, one in released.items()}


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return build(32)


@pytest.fixture
def saved(tmp_path: Path):
    def save(content: object) -> Path:
        torch.save(content, tmp_path / "USFM_latest.pth")
        return tmp_path / "USFM_latest.pth"

    return save


# -- the network, as openmedlab/USFM describes it, block by block


def features_by_hand(tensors: dict[str, Tensor], table: Tensor, images: Tensor) -> list[Tensor]:
    """Patch tokens after blocks 3, 6, 9 and 12, normed, (B, 768, n, n)."""
    width, heads = 768, 12
    batch, n = len(images), images.shape[-1] // 16

    def layer(name: str, tokens: Tensor) -> Tensor:
        return F.linear(tokens, tensors[f"{name}.weight"], tensors.get(f"{name}.bias"))

    def norm(name: str, tokens: Tensor) -> Tensor:
        weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        return F.layer_norm(tokens, (width,), weight, bias, eps=1e-6)

    def attention(block: str, tokens: Tensor) -> Tensor:
        q, k, v = layer(f"{block}.qkv", tokens).chunk(3, dim=-1)
        q, v = q + tensors[f"{block}.q_bias"], v + tensors[f"{block}.v_bias"]
        q, k, v = (one.unflatten(2, (heads, -1)).transpose(1, 2) for one in (q, k, v))
        logits = q @ k.transpose(2, 3) / math.sqrt(width // heads) + biases(table, n)
        mixed = (logits.softmax(-1) @ v).transpose(1, 2).flatten(2)
        return layer(f"{block}.proj", mixed)

    weight, bias = tensors["patch_embed.proj.weight"], tensors["patch_embed.proj.bias"]
    patches = F.conv2d(images, weight, bias, stride=16).flatten(2).transpose(1, 2)
    tokens = torch.cat([tensors["cls_token"].expand(batch, -1, -1), patches], 1)
    maps = []
    for i in range(12):
        of_block = f"blocks.{i}"
        mixed = attention(f"{of_block}.attn", norm(f"{of_block}.norm1", tokens))
        tokens = tokens + tensors[f"{of_block}.gamma_1"] * mixed
        hidden = F.gelu(layer(f"{of_block}.mlp.fc1", norm(f"{of_block}.norm2", tokens)))
        tokens = tokens + tensors[f"{of_block}.gamma_2"] * layer(f"{of_block}.mlp.fc2", hidden)
        if i in (2, 5, 8, 11):
            maps.append(norm("norm", tokens)[:, 1:].transpose(1, 2).unflatten(2, (n, n)))
    return maps


def biases(table: Tensor, n: int) -> Tensor:
    """(heads, 1 + n n, 1 + n n), of the query's and the key's place."""
    y, x = (
        one.flatten() for one in torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    )
    dy, dx = y[:, None] - y, x[:, None] - x
    index = torch.empty(1 + n * n, 1 + n * n, dtype=torch.long)
    index[1:, 1:] = (dy + n - 1) * (2 * n - 1) + dx + n - 1
    index[0, 1:], index[1:, 0], index[0, 0] = len(table) - 3, len(table) - 2, len(table) - 1
    return table[index].permute(2, 0, 1)


@pytest.mark.parametrize("size", [224, 96])
@torch.no_grad()
def test_features_are_those_of_the_authors_network(released, saved, size):
    encoder = build(size)
    encoder.module.load_state_dict(USFMFamily().converted("usfm", released, encoder))
    encoder.module.eval()
    images = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))
    table = encoder.module.blocks[0].attn.relative_position_bias_table
    if size == 224:
        assert torch.equal(table, released[SHARED])
    ours, theirs = encoder.maps(encoder.module, images), features_by_hand(released, table, images)
    assert min(one.std() for one in theirs) > 0.5
    assert max((a - b).abs().max() for a, b in zip(ours, theirs, strict=True)) < 1e-4


@pytest.mark.parametrize("n", [6, 20, 32])
def test_position_biases_of_another_size_are_beits(released, n):
    """Bicubic, over distances in a geometric progression that reaches the farthest new one."""
    with torch.device("meta"):
        encoder = build(16 * n)
    table = USFMFamily().converted("usfm", released, encoder)[
        "blocks.7.attn.relative_position_bias_table"
    ]
    ratio = 1.01  # at least
    if n > 14:
        ratio = brentq(lambda q: (q**13 - 1) / (q - 1) - (n - 1), 1.01, 1.5)
    places = (ratio ** np.arange(1, 14) - 1) / (ratio - 1)
    places = np.concatenate([-places[::-1], [0], places])
    new = np.arange(-(n - 1), n)
    for head in (0, 11):
        known = released[SHARED][:-3, head].view(27, 27).double().numpy()
        expected = RectBivariateSpline(places, places, known)(new, new).flatten()
        assert np.abs(table[:-3, head].numpy() - expected).max() < 1e-3
    assert torch.equal(table[-3:], released[SHARED][-3:])


# -- files


@pytest.mark.parametrize(
    "wrap",
    [
        lambda tensors: tensors,
        lambda tensors: {
            "epoch": 3,
            "state_dict": {f"module.{name}": one for name, one in tensors.items()},
        },
        lambda tensors: {
            "model": {f"module.encoder.{name}": one for name, one in tensors.items()}
            | {"module.decoder.0.weight": torch.zeros(768, 768, 1, 1)}
            | {"module.lm_head.weight": torch.zeros(8192, 768)}
        },
    ],
    ids=["bare", "module", "parts of pretraining"],
)
def test_the_file_loads_whole_as_it_is_wrapped(light, saved, encoder, wrap):
    with torch.no_grad():
        for parameter in encoder.module.parameters():
            parameter.fill_(77.0)
    provenance = load(saved(wrap(light)), encoder)
    state = encoder.module.state_dict()
    assert provenance.tensors == len(state) == 197
    for name, one in state.items():
        of_file = light.get(name, light[SHARED])
        assert torch.allclose(one, of_file.flatten()[0].expand(one.shape)), name


def test_tables_of_each_block_are_read_too(light, saved, encoder):
    """As a network that was trained on has them."""
    own = {
        f"blocks.{i}.attn.relative_position_bias_table": torch.full((732, 12), float(i))
        for i in range(12)
    }
    load(saved({name: one for name, one in light.items() if name != SHARED} | own), encoder)
    tables = [block.attn.relative_position_bias_table for block in encoder.module.blocks]
    assert [float(table.detach().mean()) for table in tables] == pytest.approx(range(12))
    with pytest.raises(WeightsError, match=f"1 unknown: {SHARED}"):
        load(saved(light | own), encoder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"blocks.4.attn.q_bias": None}, "1 missing: blocks.4.attn.q_bias"),
        ({SHARED: None}, "12 missing: blocks.0.attn.relative_position_bias_table"),
        ({"pos_embed": torch.zeros(1, 197, 768)}, "1 unknown: pos_embed"),
        ({"blocks.0.attn.qkv.bias": torch.zeros(2304)}, "1 unknown: blocks.0.attn.qkv.bias"),
        ({"norm.bias": torch.zeros(384)}, r"norm.bias \(384,\) for \(768,\)"),
        ({SHARED: torch.zeros(732, 16)}, r"bias_table \(12, 16\) for \(12, 12\)"),
        ({SHARED: torch.zeros(731, 12)}, r"\(731, 12\), are of no square grid"),
        ({SHARED: torch.tensor(1.0)}, r"\(\), are of no square grid"),
        ({SHARED: torch.full((732, 12), math.nan)}, "12 with values that are not finite"),
        (
            {"norm.weight": None, "norm.bias": None, "fc_norm.weight": torch.ones(768)},
            "fine-tuned as a classifier",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(light, saved, encoder, change, said):
    changed = {name: one for name, one in (light | change).items() if one is not None}
    with pytest.raises(WeightsError, match=said) as caught:
        load(saved(changed), encoder)
    assert "`none`" in str(caught.value)  # the way out


def test_weights_that_cannot_be_downloaded_say_where_they_are(encoder):
    with pytest.raises(WeightsError) as caught:
        load("pretrained", encoder)
    for part in ("https://github.com/openmedlab/USFM", "USFM_latest.pth", "backbone.weights"):
        assert part in str(caught.value)


# -- training


def backbone_of(size: int = 32, **options) -> Backbone:
    return build_backbone(load_plugins(), "usfm", weights="none", image_size=size, **options)


def test_the_rules_of_backbones_hold(monkeypatch: pytest.MonkeyPatch):
    """Gradients, copies, experts in the blocks, weight files: see `usmt.testing`. With four of the
    twelve blocks, which are all alike: a third of the time."""
    monkeypatch.setattr(timm, "create_model", partial(timm.create_model, depth=4))
    parameters = sum(one.numel() for one in build(32).module.parameters())
    monkeypatch.setattr("usmt_usfm.family.CARD", replace(CARD, parameters=parameters))
    check_backbone(USFMFamily, "usfm", image_size=32)


def test_all_is_trained_and_blocks_are_left_out_more_often_with_depth():
    backbone = backbone_of(drop_path=0.2)
    rates = [getattr(block.module.drop_path1, "drop_prob", 0.0) for block in backbone.blocks]
    assert rates == sorted(rates) and rates[-1] == pytest.approx(0.2)
    assert all(parameter.requires_grad for parameter in backbone.parameters())


@pytest.mark.parametrize(
    ("options", "said"),
    [({"size": 100}, "Use 96 or 112"), ({"maps": 13}, "13 feature maps asked of 12 blocks")],
)
def test_settings_that_do_not_fit_say_why(options, said):
    with pytest.raises(ConfigError, match=said):
        backbone_of(**options)


def test_the_card_tells_the_truth():
    with torch.device("meta"):
        encoder = build(224)
        (*_, last) = encoder.maps(encoder.module, torch.empty(1, 3, 224, 224))
    assert CARD.parameters == sum(one.numel() for one in encoder.module.parameters())
    assert last.shape == (1, CARD.width, 224 // CARD.strides[0], 224 // CARD.strides[0])
    assert (CARD.mean, CARD.std) == (encoder.mean, encoder.std)
    assert CARD.licence == "CC BY-NC 4.0" and not CARD.gated
