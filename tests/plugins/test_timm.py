"""timm's networks as backbones: what the cards say is so, and batches do not matter."""

from __future__ import annotations

import json
from pathlib import Path

import huggingface_hub
import published_weights
import pytest
import timm
import torch
from command_line import Usmt
from safetensors.torch import save_file
from torch import nn

from usmt import load_plugins
from usmt.errors import ConfigError, WeightsError
from usmt.model.backbone import Backbone, build_backbone
from usmt_timm import TimmFamily
from usmt_timm.describe import describe

FAMILY = TimmFamily()
WITH_BATCH_NORM = ("test_efficientnet", "test_resnet")


def build(name: str, weights: Path | str = "none", size: int = 64, **options) -> Backbone:
    torch.manual_seed(0)
    return build_backbone(load_plugins(), name, weights=str(weights), image_size=size, **options)


def stir(network: nn.Module) -> None:
    """As if trained."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(3))


# -- cards


@pytest.mark.parametrize("card", FAMILY.cards(), ids=lambda card: card.name)
def test_a_card_says_what_timm_says(card):
    found = describe(card.name)
    for field in ("parameters", "width", "strides", "multiple", "licence", "weights", "gated"):
        assert getattr(card, field) == getattr(found, field), field
    assert (card.mean, card.std) == (found.mean, found.std)
    assert card.title and card.citation and card.obtain
    assert FAMILY.has(card.name) and FAMILY.card(card.name) is card


@pytest.mark.parametrize(
    "name",
    [
        *("vit_tiny_patch16_dinov3_qkvb", "vit_tiny_patch16_224", "eva02_tiny_patch14_224"),
        *("vit_small_patch14_reg4_dinov2", "convnextv2_atto", "swinv2_tiny_window8_256"),
        *("efficientnet_b0", "tf_efficientnetv2_b0", "resnet18", "test_convnext.r160_in1k"),
    ],
)
def test_a_card_says_what_is_built(name):
    card = FAMILY.card(name)
    backbone = build(name, size=2 * card.multiple, drop_path=0.1)
    assert backbone.features.strides == card.strides
    assert backbone.features.channels[-1] == backbone.width == card.width
    assert (backbone.mean, backbone.std) == (card.mean, card.std)
    plain = timm.create_model(name, num_classes=0)
    assert sum(p.numel() for p in plain.parameters()) == card.parameters


def test_networks_without_a_card_are_described_by_timm():
    card = FAMILY.card("convnext_pico")
    assert card.weights.startswith("https://huggingface.co/timm/convnext_pico.")
    assert FAMILY.card("eva_giant_patch14_224").licence  # stated, or said not to be
    assert FAMILY.card("vit_base_patch16_rope_224").strides == (16,) * 4
    assert not FAMILY.has("vit_of_nobody") and not FAMILY.has("")
    with pytest.raises(ConfigError, match="another kind of network"):
        FAMILY.card("vgg11")
    with pytest.raises(ConfigError, match=r"did you mean 'vit_base_patch16_dinov3\.lvd1689m'"):
        FAMILY.card("vit_base_patch16_dinov3.lvd1698m")


def test_who_may_have_the_weights_is_not_said_of_others_repositories():
    """timm takes some weights from where their authors keep them."""
    others = FAMILY.card("vit_base_mci_224.apple_mclip")
    assert others.weights == "https://huggingface.co/apple/mobileclip_b_timm"
    assert "not timm's own" in others.obtain and others.licence == "apple-amlr"
    assert "not timm's own" not in FAMILY.card("convnext_pico").obtain


@pytest.mark.parametrize("name", ["test_vit", "test_vit.r160_in1k", "vit_base_mci_224"])
def test_what_a_run_records_of_its_weights_is_what_the_card_says(name, tmp_path, monkeypatch):
    asked = []

    def download(repository: str, file: str) -> str:
        asked.append(f"https://huggingface.co/{repository}")
        return str(tmp_path / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    card = FAMILY.card(name)
    assert FAMILY.published(name)[1] == card.weights == asked[0]
    assert card.licence


def test_weights_without_a_stated_licence_say_so():
    name = "resnet50.bamboo"
    assert timm.get_pretrained_cfg(name).license is None
    assert FAMILY.card(name).licence == "not stated by timm"


@pytest.mark.parametrize(
    "name",
    [
        *("test_vit.", "TEST_VIT", "test_vit ", " test_vit", "test vit", ".", ".test_vit"),
        *("timm/test_vit", "hf-hub:timm/test_vit.r160_in1k", "hf_hub:test_vit", "./test_vit"),
    ],
)
def test_names_that_timm_would_read_in_its_own_way_are_unknown(name):
    assert FAMILY.has(name) is False


def test_a_tag_with_a_dot_is_told_and_former_names_are_known():
    with pytest.raises(ConfigError, match=r"no weights 'r160_in1k\.x' for test_vit"):
        FAMILY.card("test_vit.r160_in1k.x")
    with pytest.warns(UserWarning, match="deprecated model name"):
        card = FAMILY.card("convnext_tiny_in22k")
    assert card.weights == "https://huggingface.co/timm/convnext_tiny.fb_in22k"


# -- maps


@pytest.mark.parametrize("maps", [0, -1])
@pytest.mark.parametrize("name", ["test_convnext", "test_efficientnet", "test_vit"])
def test_at_least_one_map_must_be_asked_for(name, maps):
    with pytest.raises(ConfigError, match=f"{maps} feature maps asked of . (stages|blocks)"):
        build(name, maps=maps)


def test_maps_are_the_stages_outputs_and_the_last_one_is_normed(images):
    for name, norm in (
        ("test_convnext", lambda net, x: net.head.norm(x)),
        ("test_efficientnet", lambda _net, x: x),
    ):
        backbone = build(name).eval()
        stages = backbone.vit.forward_intermediates(images, indices=4, norm=True)[1]
        maps = backbone(images)
        assert len(maps) == 4
        assert all(torch.equal(a, b) for a, b in zip(maps[:3], stages[:3], strict=True))
        assert torch.equal(maps[3], norm(backbone.vit, stages[3]))
        assert len(build(name, maps=3)(images)) == 3


def test_original_patch_14_and_swiglu_learn(images):
    backbone = build("eva02_tiny_patch14_224", size=56)
    assert backbone.features.strides == (14,) * 4
    sum(one.square().sum() for one in backbone(images[:, :, :56, :56])).backward()
    assert all(p.grad.abs().sum() > 0 for p in backbone.parameters() if p.requires_grad)


def test_layer_scales_of_a_network_without_weights_can_learn():
    """ConvNeXt's start at 1e-6, for 300 epochs."""
    for name in ("test_convnext", "vit_tiny_patch16_dinov3_qkvb"):
        scales = {n: p for n, p in build(name).named_parameters() if "gamma" in n}
        assert scales and all(bool((p == 0.1).all()) for p in scales.values())


# -- batch normalisation


def with_statistics(name: str, path: Path) -> nn.Module:
    """timm's network after some training, and the file of its weights."""
    torch.manual_seed(1)
    network = timm.create_model(name, pretrained=False)
    for _ in range(3):
        network(torch.randn(8, 3, 64, 64) * 2 + 1)
    save_file(network.state_dict(), path)
    return network.eval()


@pytest.mark.parametrize("name", WITH_BATCH_NORM)
def test_pretrained_statistics_are_kept(tmp_path, images, name):
    """Training and evaluation see what timm's network gives in evaluation."""
    network = with_statistics(name, tmp_path / "w.safetensors")
    backbone = build(name, tmp_path / "w.safetensors")
    expected = network.forward_intermediates(images, indices=4, intermediates_only=True)
    for mode in (True, False):
        maps = backbone.train(mode)(images)
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(maps, expected, strict=True))
    buffers = {n: b.clone() for n, b in backbone.named_buffers()}
    assert any(n.endswith("running_mean") for n in buffers)
    backbone.train()(images + 3)
    assert all(torch.equal(b, buffers[n]) for n, b in backbone.named_buffers())
    assert set(backbone.provenance.ignored) <= {
        *("classifier.weight", "classifier.bias", "fc.weight", "fc.bias")
    }


@pytest.mark.parametrize("name", WITH_BATCH_NORM)
def test_without_weights_each_image_is_normalised_by_itself(images, name):
    backbone = build(name)
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in backbone.modules())
    together = backbone.train()(images)
    alone = backbone(images[:1])
    assert all(torch.allclose(a[:1], b, atol=1e-5) for a, b in zip(together, alone, strict=True))
    assert not list(backbone.named_buffers())


def test_a_network_of_pretrained_weights_is_built_alike_without_them(tmp_path):
    """As for a checkpoint, when the file is gone."""
    gone = build("test_efficientnet", tmp_path / "gone.pth", load=False)
    assert any(name.endswith("running_mean") for name, _ in gone.named_buffers())
    with pytest.raises(WeightsError, match="no weights at"):
        build("test_efficientnet", tmp_path / "gone.pth")


# -- weights


@pytest.mark.parametrize("name", ["test_convnext", "swin_tiny_patch4_window7_224"])
def test_weights_for_another_size_of_input_load(tmp_path, name):
    torch.manual_seed(1)
    network = timm.create_model(name, pretrained=False)
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    backbone = build(name, tmp_path / "w.safetensors")
    key = next(key for key in network.state_dict() if key.endswith("mlp.fc1.weight"))
    assert torch.equal(backbone.vit.state_dict()[key], network.state_dict()[key])
    wrong = {key: value for key, value in network.state_dict().items() if "mlp.fc1" not in key}
    save_file(wrong, tmp_path / "wrong.safetensors")
    with pytest.raises(WeightsError, match=f"not weights of {name}"):
        build(name, tmp_path / "wrong.safetensors")


def of_meta_dinov2(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """DINOv2's released files have a token of pretraining, and a place for the class token."""
    named = dict(tensors)
    registers = named.pop("reg_token", None)
    named["mask_token"] = torch.zeros(1, tensors["cls_token"].shape[-1])
    if registers is not None:
        place = torch.ones_like(tensors["cls_token"])
        named["register_tokens"] = registers
        named["cls_token"] = tensors["cls_token"] - place
        named["pos_embed"] = torch.cat([place, tensors["pos_embed"]], 1)
    return named


def of_mae(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """As `mae_pretrain_vit_base_full.pth`: with the decoder, which is narrower."""
    decoder = {
        f"decoder_{key}": torch.zeros(8)
        for key in ("pos_embed", "embed.weight", "blocks.0.norm1.weight", "norm.bias", "pred.bias")
    }
    return tensors | decoder | {"mask_token": torch.zeros(1, 1, 8)}


def of_eva02(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """As `eva02_Ti_pt_in21k_p14.pt`: other names in the blocks, and parts of pretraining."""
    names = {"mlp.fc1_g": "mlp.w1", "mlp.fc1_x": "mlp.w2", "mlp.norm": "mlp.ffn_ln"}
    names |= {"mlp.fc2": "mlp.w3", "q_proj.bias": "q_bias", "v_proj.bias": "v_bias"}
    named = {}
    for key, tensor in tensors.items():
        for ours, theirs in names.items():
            key = key.replace(ours, theirs)
        named[key.removeprefix("fc_")] = tensor
    width = tensors["cls_token"].shape[-1]
    return named | {
        "mask_token": torch.zeros(1, 1, width),
        "lm_head.weight": torch.zeros(16, width),
        "lm_head.bias": torch.zeros(16),
        "rope.freqs_cos": torch.zeros(256, 64),
        "blocks.0.attn.rope.freqs_sin": torch.zeros(256, 64),
    }


@pytest.mark.parametrize(
    ("name", "size", "released", "wrapper"),
    [
        ("vit_tiny_patch16_224", 64, of_mae, "model"),
        ("vit_small_patch14_dinov2", 56, of_meta_dinov2, "teacher"),
        ("vit_small_patch14_reg4_dinov2", 56, of_meta_dinov2, None),
        ("eva02_tiny_patch14_224", 56, of_eva02, "state_dict"),
    ],
)
def test_released_files_load_without_what_pretraining_alone_needs(
    tmp_path, name, size, released, wrapper
):
    network = timm.create_model(name, num_classes=0, img_size=size)
    stir(network)
    tensors = released(network.state_dict())
    if wrapper == "teacher":  # with the trainer's prefix
        tensors = {f"backbone.{key}": one for key, one in tensors.items()}
    torch.save({wrapper: tensors, "epoch": 3} if wrapper else tensors, tmp_path / "w.pth")
    state = build(name, tmp_path / "w.pth", size).vit.state_dict()
    for key, one in network.state_dict().items():
        assert torch.allclose(state[key], one, atol=1e-6), key


def test_metas_biases_are_not_dropped_unseen(tmp_path):
    """timm has DINOv3 with and without biases of queries and values; the larger ones are zero."""
    tensors = published_weights.dinov3_vit(384, 12, 1536, gated=False)
    torch.save(tensors, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"blocks\.0\.attn\.qkv\.bias .* _qkvb"):
        build("vit_small_patch16_dinov3", tmp_path / "w.pth")
    zero = {key: 0 * one if key.endswith("qkv.bias") else one for key, one in tensors.items()}
    torch.save(zero, tmp_path / "w.pth")
    state = build("vit_small_patch16_dinov3", tmp_path / "w.pth").vit.state_dict()
    assert torch.equal(state["reg_token"], tensors["storage_tokens"])
    assert torch.equal(state["blocks.3.gamma_1"], tensors["blocks.3.ls1.gamma"])


def test_position_embeddings_are_resampled_where_timm_has_no_filter_for_it(tmp_path):
    network = timm.create_model("convit_tiny", num_classes=0)
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    state = build("convit_tiny", tmp_path / "w.safetensors").vit.state_dict()
    assert state["pos_embed"].shape == (1, 16, 192)
    given = network.pos_embed.detach().mean()
    assert torch.allclose(state["pos_embed"].mean(), given, atol=2e-3)


# -- all task types, start to end


def test_all_task_types_train_resume_and_are_scored(usmt: Usmt, tmp_path: Path):
    """On pretrained weights, with a mixture of experts; the file is gone when the run goes on."""
    file = tmp_path / "w.safetensors"
    with_statistics("test_efficientnet", file)
    out = tmp_path / "run"
    types = ("fetal_head", "fetal_plane_cls", "fetal_femur", "thyroid_nodule_det")
    settings = {
        "backbone": {"name": "timm:test_efficientnet", "weights": str(file)},
        "image_size": 64,
        "epochs": 1,
        "moe": {"experts": 2, "blocks": 3, "top_k": 1},
        "data": {"phantom": {"images": 12, "size": 64}},
        "task_types": {
            "segmentation": {"fusion_channels": 16, "intermediate_channels": [16, 16, 16, 16]}
        },
    }
    (tmp_path / "config.yaml").write_text(json.dumps(settings))
    chosen = [part for task in types for part in ("--task", task)]
    answer = usmt("train", *chosen, "--config", tmp_path / "config.yaml", "--out", out)
    assert answer.code == 0, answer.err
    file.unlink()
    config = (out / "config.yaml").read_text()
    (out / "config.yaml").write_text(config.replace("epochs: 1\n", "epochs: 2\n"))
    (out / "scores.json").unlink()  # as if it had been stopped
    answer = usmt("train", "--resume", out)
    assert answer.code == 0, answer.err
    answer = usmt("evaluate", out, "--split", "test", "--json")
    assert answer.code == 0, answer.err
    assert set(answer.data["tasks"]) == set(types)
