"""What usmt asks of a backbone; torchvision's own weights; what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torchvision.models import get_model, get_model_weights
from usmt_torchvision import Torchvision

from usmt import ConfigError, WeightsError
from usmt.testing import check_backbone

FAMILY = Torchvision()


@pytest.mark.parametrize("name", ["resnet18"])
def test_the_backbone_keeps_its_contract(name: str):
    check_backbone(Torchvision, name, image_size=64)


@pytest.mark.parametrize("name", [card.name for card in FAMILY.cards()])
def test_the_cards_tell_what_is_built(name: str):
    card = FAMILY.card(name)
    with torch.device("meta"):
        encoder = build(name)
        maps = encoder.maps(encoder.module, torch.zeros(1, 3, 64, 64))
    assert sum(p.numel() for p in encoder.module.parameters()) == card.parameters
    assert tuple(64 // one.shape[2] for one in maps) == card.strides
    assert maps[-1].shape[1] == card.width == encoder.blocks[-1].width
    assert get_model_weights(name).DEFAULT.url


@pytest.mark.parametrize("name", ["resnet18", "convnext_tiny"])
def test_torchvision_s_own_weights_give_torchvision_s_own_features(name: str):
    torch.manual_seed(0)
    own = get_model(name, weights=None)
    for module in own.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    encoder = build(name, pretrained=True)
    tensors = FAMILY.converted(name, own.state_dict(), encoder)
    encoder.module.load_state_dict(dict(tensors))
    images = torch.randn(2, 3, 64, 64)
    layers = {"resnet18": "layer4", "convnext_tiny": "features"}
    seen = []
    getattr(own, layers[name]).register_forward_hook(lambda *args: seen.append(args[-1]))
    with torch.no_grad():
        own.eval()(images)
        maps = encoder.maps(encoder.module.train(), images)  # statistics are kept in training too
    assert torch.allclose(maps[-1], seen[0], atol=1e-5)


def test_fewer_maps_are_the_deepest():
    encoder = build("resnet18", maps=2)
    maps = encoder.maps(encoder.module, torch.zeros(1, 3, 64, 64))
    assert [one.shape[1:] for one in maps] == [(256, 4, 4), (512, 2, 2)]


def test_what_does_not_fit_is_told():
    with pytest.raises(ConfigError, match="not a multiple of 32") as caught:
        build("resnet18", image_size=72)
    assert "Use 64 or 96" in str(caught.value)
    with pytest.raises(ConfigError, match="cannot leave blocks out"):
        build("resnet18", drop_path=0.1)
    assert build("convnext_tiny", drop_path=0.1).module
    with pytest.raises(ValueError, match="other names"):
        FAMILY.converted("resnet18", {"blocks.0.weight": torch.zeros(1)}, build("resnet18"))


def test_weights_that_cannot_be_had_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def offline(*args: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(WeightsError, match=r"resnet18-[0-9a-f]{8}\.pth: no network"):
        FAMILY.published("resnet18")
    file = tmp_path / "checkpoints" / "resnet18-f37072fd.pth"
    file.write_bytes(b"")
    assert FAMILY.published("resnet18")[0] == file


def build(name: str, **arguments: object):
    given = {"image_size": 64, "maps": 4, "drop_path": 0.0, "pretrained": False, **arguments}
    return FAMILY.build(name, **given)
