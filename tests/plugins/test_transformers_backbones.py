"""DINOv3 of the transformers library: the same features as timm's, from the same files."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import huggingface_hub.errors
import published_weights
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    DINOv3ConvNextConfig,
    DINOv3ConvNextModel,
    DINOv3ViTConfig,
    DINOv3ViTModel,
)

from usmt import ConfigError, WeightsError, load_plugins
from usmt.model.backbone import Backbone, build_backbone
from usmt.testing import check_backbone
from usmt_transformers.family import TransformersFamily

SMALL = "facebook/dinov3-vits16-pretrain-lvd1689m"
SMALL_PLUS = "facebook/dinov3-vits16plus-pretrain-lvd1689m"
BASE = "facebook/dinov3-vitb16-pretrain-lvd1689m"
TINY = "facebook/dinov3-convnext-tiny-pretrain-lvd1689m"


@pytest.fixture(scope="module")
def meta_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("meta")
    tensors = {
        SMALL: published_weights.dinov3_vit(384, 12, 1536, gated=False),
        SMALL_PLUS: published_weights.dinov3_vit(384, 12, 1536, gated=True),
        TINY: published_weights.dinov3_convnext((96, 192, 384, 768), (3, 3, 9, 3)),
    }
    files = {name: folder / f"{name.partition('/')[2]}.pth" for name in tensors}
    for name, path in files.items():
        torch.save(tensors[name], path)
    return files


def load(name: str, weights: Path | str, size: int = 64, **options) -> Backbone:
    return build_backbone(load_plugins(), name, weights=str(weights), image_size=size, **options)


def refused(name: str, weights: Path | str) -> str:
    with pytest.raises(WeightsError) as caught:
        load(name, weights)
    assert "`none`" in str(caught.value)  # the way out
    return str(caught.value)


def images(height: int, width: int) -> torch.Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(height))


def assert_same_maps(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> None:
    assert [one.shape for one in ours] == [one.shape for one in theirs]
    assert min(one.std() for one in ours) > 0.1
    assert max((a - b).abs().max() for a, b in zip(ours, theirs, strict=True)) < 1e-4


# -- features


@pytest.mark.parametrize(
    ("name", "of_timm"),
    [
        (SMALL, "vit_small_patch16_dinov3_qkvb"),
        (SMALL_PLUS, "vit_small_plus_patch16_dinov3_qkvb"),
        (TINY, "convnext_tiny.dinov3_lvd1689m"),
    ],
)
def test_features_equal_timms_for_the_same_file_of_meta(meta_files, name, of_timm):
    """For the size that it is built for, others, and images that are not square."""
    ours, theirs = load(name, meta_files[name]), load(of_timm, meta_files[name])
    for model in (ours, theirs):
        model.eval()
    assert (ours.mean, ours.std, ours.features) == (theirs.mean, theirs.std, theirs.features)
    with torch.no_grad():
        for size in ((64, 64), (96, 160)):
            assert_same_maps(ours(images(*size)), theirs(images(*size)))


def test_features_equal_the_librarys_own_for_a_file_of_the_hub(tmp_path):
    """`save_pretrained` writes the names that the repositories on the hub have."""
    torch.manual_seed(3)
    vit = DINOv3ViTModel(DINOv3ViTConfig(num_register_tokens=4, layerscale_value=0.3)).eval()
    vit.save_pretrained(tmp_path)
    assert "layer.0.attention.q_proj.weight" in load_file(tmp_path / "model.safetensors")
    ours = load(SMALL, tmp_path / "model.safetensors", maps=2).eval()
    with torch.no_grad():
        tokens = vit(images(64, 96)).last_hidden_state[:, 5:]
        last = ours(images(64, 96))[-1]
    assert torch.allclose(last.flatten(2).transpose(1, 2), tokens, atol=1e-5)
    assert ours.provenance.tensors == len(vit.state_dict())


def test_convnext_features_equal_the_librarys_own_for_a_file_of_the_hub(tmp_path):
    torch.manual_seed(3)
    convnext = DINOv3ConvNextModel(DINOv3ConvNextConfig(layer_scale_init_value=0.3)).eval()
    convnext.save_pretrained(tmp_path)
    ours = load(TINY, tmp_path / "model.safetensors").eval()
    with torch.no_grad():
        tokens = convnext(images(64, 96)).last_hidden_state[:, 1:]
        last = ours(images(64, 96))[-1]
    assert torch.allclose(last.flatten(2).transpose(1, 2), tokens, atol=1e-5)


def test_maps_and_their_places(meta_files):
    backbone = load(SMALL, meta_files[SMALL], maps=3).eval()
    seen = []
    for block in backbone.blocks:
        block.module.register_forward_hook(lambda _m, _a, out: seen.append(out))
    maps = backbone(images(64, 64))
    for one, tokens in zip(maps, (seen[3], seen[7], seen[11]), strict=True):
        patches = backbone.vit.norm(tokens)[:, 5:]
        assert torch.allclose(one.flatten(2).transpose(1, 2), patches, atol=1e-6)
    convnext = load(TINY, "none", maps=9)
    assert convnext.features.channels == (96, 192, 384, 768)
    assert convnext.features.strides == (4, 8, 16, 32)
    assert load(TINY, "none", maps=2).features.strides == (16, 32)


def test_positions_are_not_moved_in_training():
    """The library moves them in training mode, as pretraining does."""
    backbone = load(SMALL, "none")
    assert backbone.training
    assert torch.equal(backbone(images(64, 64))[-1], backbone(images(64, 64))[-1])


# -- training


@pytest.mark.parametrize("name", [SMALL, TINY])
def test_the_rules_of_backbones_hold(name):
    """Gradients, copies, experts in the blocks, weight files: see `usmt.testing`."""
    check_backbone(TransformersFamily, name, image_size=32)


@pytest.mark.parametrize(
    ("name", "scale", "frozen"),
    [(SMALL, "lambda1", ["embeddings.mask_token"]), (TINY, "gamma", [])],
)
def test_all_but_parts_of_pretraining_can_learn(name, scale, frozen):
    named = dict(load(name, "none").vit.named_parameters())
    assert [key for key, one in named.items() if not one.requires_grad] == frozen
    scales = [one for key, one in named.items() if key.endswith(scale)]
    assert scales and all(bool((one == 0.1).all()) for one in scales)


@pytest.mark.parametrize("name", [SMALL, TINY])
def test_blocks_are_left_out_more_often_with_depth(name):
    backbone = load(name, "none", drop_path=0.2)
    rates = [getattr(block.module.drop_path, "drop_prob", 0.0) for block in backbone.blocks]
    assert rates == sorted(rates)
    assert rates[0] == 0 and rates[-1] == pytest.approx(0.2)


def test_trains_with_a_mixture_of_experts(usmt, tmp_path, meta_files):
    run = tmp_path / "run"
    line = ["train", "--task", "fetal_plane_cls", "--task", "fetal_femur", "--out", str(run)]
    settings = {
        "backbone.name": SMALL,
        "backbone.weights": str(meta_files[SMALL]),
        "backbone.checkpointing": "true",
        "precision": "bf16",
        "image_size": "64",
        "data.phantom": "{images: 12, size: 64}",
        "moe": "{experts: 2, blocks: 2, top_k: 1}",
        "batch_size": "4",
        "epochs": "1",
        "sampler.images_per_epoch": "8",
    }
    for key, value in settings.items():
        line += ["--set", f"{key}={value}"]
    code, _, err = usmt(*line)
    assert code == 0, err
    state = load_file(run / "last" / "model.safetensors")
    assert any("layer.11.mlp.experts.1.up_proj.weight" in key for key in state)


# -- weights


def test_a_file_of_meta_loads_whole(meta_files):
    backbone = load(SMALL, meta_files[SMALL])
    state, meta = backbone.vit.state_dict(), torch.load(meta_files[SMALL])
    assert backbone.provenance.tensors == len(state)
    (layer,) = (key for key in state if key.endswith("layer.11.attention.v_proj.bias"))
    assert torch.equal(state[layer], meta["blocks.11.attn.qkv.bias"][768:])


def test_a_wrong_file_is_refused_with_what_is_wrong(meta_files, tmp_path):
    assert "24 unknown: layer.0.mlp.gate_proj.bias" in refused(SMALL, meta_files[SMALL_PLUS])
    assert "(1, 1, 384) for (1, 1, 768)" in refused(BASE, meta_files[SMALL])

    tensors = torch.load(meta_files[SMALL])
    path = tmp_path / "w.pth"
    lacking = {key: one for key, one in tensors.items() if key != "blocks.3.mlp.fc2.bias"}
    torch.save(lacking, path)
    assert "1 missing: model.layer.3.mlp.down_proj.bias" in refused(SMALL, path)

    # A bias of keys that no mask takes away is not in this network, and is not passed over.
    torch.save({key: one for key, one in tensors.items() if "bias_mask" not in key}, path)
    assert "12 unknown: layer.0.attention.k_proj.bias" in refused(SMALL, path)

    of_timm = timm.create_model("vit_tiny_patch16_dinov3_qkvb", num_classes=0).state_dict()
    save_file(of_timm, tmp_path / "timm.safetensors")
    assert "timm's name of the network" in refused(SMALL, tmp_path / "timm.safetensors")


def test_pretrained_weights_come_from_the_hub(meta_files, monkeypatch):
    asked = []

    def download(*where: str) -> str:
        asked.append(where)
        return str(meta_files[SMALL])

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    provenance = load(SMALL, "pretrained").provenance
    assert asked == [(SMALL, "model.safetensors")]
    assert provenance.source == f"https://huggingface.co/{SMALL}"
    assert provenance.licence == "dinov3-license"


def test_weights_that_cannot_be_had_say_why_and_how(monkeypatch):
    def gated(*_: str) -> str:
        response = SimpleNamespace(headers={}, request=None, status_code=403)
        raise huggingface_hub.errors.GatedRepoError("403 Client Error. (...)", response=response)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", gated)
    said = refused(SMALL, "pretrained")
    assert "access has not been granted" in said
    for part in (f"https://huggingface.co/{SMALL}", "licence", "HF_TOKEN", ".pth"):
        assert part in said

    def offline(*_: str) -> str:
        raise OSError("no route to host\nand more")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", offline)
    said = refused(SMALL, "pretrained")
    assert "no route to host\n" in said and "HF_TOKEN" in said


# -- names, sizes, cards


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        (SMALL, {"size": 72}, "Use 64 or 80"),
        (TINY, {"size": 80}, "Use 64 or 96"),
        (SMALL, {"maps": 13}, "13 feature maps asked of 12 blocks"),
        (SMALL, {"maps": 0}, "0 feature maps asked of 12 blocks"),
        (TINY, {"maps": 0}, "0 feature maps asked of 4 stages"),
        (TINY, {"maps": -1}, "-1 feature maps asked of 4 stages"),
        (SMALL.replace("1689", "1698"), {}, f"did you mean '{SMALL}'"),
    ],
)
def test_names_and_sizes_that_do_not_work_say_why(name, options, said):
    with pytest.raises(ConfigError, match=said):
        load(name, "none", **options)


@pytest.mark.parametrize("card", TransformersFamily().cards(), ids=lambda card: card.name)
def test_cards_tell_the_truth(card):
    with torch.device("meta"):
        encoder = TransformersFamily().build(
            card.name, image_size=64, maps=4, drop_path=0.0, pretrained=True
        )
        maps = encoder.maps(encoder.module, torch.empty(1, 3, 64, 64))
    assert card.parameters == sum(one.numel() for one in encoder.module.parameters())
    assert card.width == maps[-1].shape[1] == encoder.blocks[-1].width
    assert set(card.strides) == {64 // one.shape[2] for one in maps}
    assert card.multiple == max(card.strides)
    assert (card.mean, card.std) == (encoder.mean, encoder.std)
    assert card.gated and card.licence == "dinov3-license"
    assert card.name in card.weights and card.name in card.obtain
    of_timm = "vit_large_patch16_dinov3.sat493m" if "sat493m" in card.name else "resnet18"
    settings = timm.get_pretrained_cfg(of_timm)
    assert (card.mean, card.std) == (settings.mean, settings.std)
