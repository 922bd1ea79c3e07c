"""Weights fit exactly or are refused; nothing in a file is executed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import huggingface_hub.constants
import pytest
import timm
import torch
from safetensors.torch import save_file

from usmt import load_plugins
from usmt.errors import WeightsError
from usmt.model.backbone import Backbone, build_backbone

DINOV3 = "vit_tiny_patch16_dinov3_qkvb"
VIT = "vit_tiny_patch16_224"


def state_of(name: str, **options) -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    network = timm.create_model(name, pretrained=False, **{"num_classes": 0, **options})
    return {key: torch.randn(value.shape) for key, value in network.state_dict().items()}


def load(path: Path | str, name: str = DINOV3, size: int = 64) -> Backbone:
    return build_backbone(load_plugins(), name, weights=str(path), image_size=size)


def refused(path: Path | str, name: str = DINOV3) -> str:
    with pytest.raises(WeightsError) as caught:
        load(path, name)
    assert "`none`" in str(caught.value)  # the way out
    return caught.value.message


@pytest.mark.parametrize("name", [DINOV3, VIT])
def test_safetensors_load_exactly(tmp_path, name):
    path, state = tmp_path / "w.safetensors", state_of(name, img_size=64)
    save_file(state, path)
    backbone = load(path, name)
    assert backbone.vit.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[k]) for k, value in backbone.vit.state_dict().items())
    assert backbone.provenance.source == str(path)
    assert backbone.provenance.tensors == len(state)
    assert backbone.provenance.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}},
        lambda state: {"model": state, "epoch": 3},
        lambda state: {"teacher": {f"backbone.{k}": v for k, v in state.items()}},
    ],
)
def test_wrapped_pickles_load(tmp_path, wrap):
    path, state = tmp_path / "w.pth", state_of(DINOV3)
    torch.save(wrap(state), path)
    assert all(torch.equal(v, state[k]) for k, v in load(path).vit.state_dict().items())


def test_original_dinov3_names_load(tmp_path):
    """Meta's checkpoints: fused qkv bias, `storage_tokens`, `ls1.gamma`, a mask token."""
    state = state_of(DINOV3)
    meta = {"mask_token": torch.zeros(1, 192), "rope_embed.periods": torch.zeros(16)}
    for key, value in state.items():
        if key.endswith("q_bias"):
            v_bias = state[key.replace("q_bias", "v_bias")]
            meta[key.replace("q_bias", "qkv.bias")] = torch.cat([value, v_bias * 0, v_bias])
        elif not key.endswith("v_bias"):
            key = key.replace("gamma_1", "ls1.gamma").replace("gamma_2", "ls2.gamma")
            meta[key.replace("reg_token", "storage_tokens")] = value
    torch.save(meta, tmp_path / "w.pth")
    assert all(
        torch.equal(value, state[key])
        for key, value in load(tmp_path / "w.pth").vit.state_dict().items()
    )


def test_position_embedding_is_resampled(tmp_path):
    state = state_of(VIT)  # 224 px: 14 x 14 cells and the class token
    assert state["pos_embed"].shape[1] == 197
    save_file(state, tmp_path / "w.safetensors")
    loaded = load(tmp_path / "w.safetensors", VIT).vit.state_dict()
    assert loaded["pos_embed"].shape[1] == 17
    assert torch.equal(loaded["pos_embed"][:, 0], state["pos_embed"][:, 0])
    assert torch.equal(loaded["blocks.3.mlp.fc1.weight"], state["blocks.3.mlp.fc1.weight"])


def test_a_classifier_is_left_out_and_noted(tmp_path):
    save_file(state_of(VIT, num_classes=10), tmp_path / "w.safetensors")
    provenance = load(tmp_path / "w.safetensors", VIT).provenance
    assert provenance.ignored == ("head.bias", "head.weight")


def test_none_is_said(tmp_path):
    provenance = build_backbone(load_plugins(), DINOV3, weights="none", image_size=64).provenance
    assert (provenance.source, provenance.sha256, provenance.tensors) == ("none", None, 0)


def test_missing_unknown_misshapen_and_broken_tensors_are_counted_and_named(tmp_path):
    state = state_of(DINOV3)
    del state["blocks.3.mlp.fc1.weight"], state["cls_token"]
    state["norm.bias"] = torch.zeros(7)
    state["adapter.weight"] = torch.zeros(1)
    state["norm.weight"][3] = torch.nan
    save_file(state, tmp_path / "w.safetensors")
    said = refused(tmp_path / "w.safetensors")
    assert "2 missing: cls_token, blocks.3.mlp.fc1.weight" in said
    assert "1 of another shape: norm.bias (7,) for (192,)" in said
    assert "1 unknown: adapter.weight" in said
    assert "1 with values that are not finite: norm.weight" in said


@pytest.mark.parametrize(
    ("other", "name"),
    [("resnet18", DINOV3), (VIT, DINOV3), (DINOV3, VIT), ("vit_small_patch16_224", VIT)],
)
def test_weights_of_another_network_are_refused(tmp_path, other, name):
    save_file(state_of(other), tmp_path / "w.safetensors")
    assert f"not weights of {name}" in refused(tmp_path / "w.safetensors", name)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_truncated_files_and_other_files_are_refused(tmp_path, suffix):
    path = tmp_path / f"w{suffix}"
    state = state_of(DINOV3)
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    content = path.read_bytes()
    for part in (content[: len(content) // 2], content[:5], b"", b"<html>not found</html>"):
        path.write_bytes(part)
        assert "cannot be read as weights" in refused(path)


class Booby:
    def __reduce__(self):
        return os.mkdir, (str(self.path),)

    def __init__(self, path: Path) -> None:
        self.path = path


def test_code_in_a_pickle_is_not_executed(tmp_path):
    torch.save({"model": state_of(DINOV3), "extra": Booby(tmp_path / "trap")}, tmp_path / "w.pth")
    assert "holds other objects" in refused(tmp_path / "w.pth")
    assert not (tmp_path / "trap").exists()


def test_a_pickle_of_something_else_is_refused(tmp_path):
    torch.save([1, 2], tmp_path / "list.pth")
    assert "it holds a list" in refused(tmp_path / "list.pth")
    torch.save({"epoch": 3}, tmp_path / "epoch.pth")
    assert "epoch are not tensors" in refused(tmp_path / "epoch.pth")
    torch.save({}, tmp_path / "empty.pth")
    assert "no tensors" in refused(tmp_path / "empty.pth")


def test_a_path_that_is_not_there_and_a_format_that_is_not_known(tmp_path):
    assert "did you mean 'pretrained'" in refused("pretraned")
    assert "no weights at" in refused(tmp_path / "nowhere.pth")
    (tmp_path / "w.npz").write_bytes(b"")
    assert "'.npz' is none of" in refused(tmp_path / "w.npz")


def test_pretrained_without_a_network_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    said = refused("pretrained")
    assert f"timm/{DINOV3}.eupe_lvd1689m/model.safetensors" in said


def test_pretrained_comes_from_the_hubs_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / f"models--timm--{DINOV3}.eupe_lvd1689m"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    state = state_of(DINOV3)
    save_file(state, snapshot / "model.safetensors")
    backbone = load("pretrained")
    assert torch.equal(backbone.vit.cls_token, state["cls_token"])
    assert backbone.provenance.licence == "fair-noncommercial-research-license"
    assert backbone.provenance.source.endswith(f"{DINOV3}.eupe_lvd1689m")
