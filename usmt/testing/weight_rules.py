"""Rules for weight files: what was saved is loaded again, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import save_file

from usmt.backbone_family import BackboneFamily, Encoder
from usmt.errors import WeightsError
from usmt.model.backbone import Backbone
from usmt.model.weights import load_weights
from usmt.testing.broken_rule import BrokenRuleError, keeping
from usmt.testing.built_network import built, images_of


def check_weight_file(
    family: BackboneFamily, name: str, first: Backbone, image_size: int, maps: int
) -> None:
    """A network's own state dict goes through a file; a file of something else is refused.

    Args:
        first: a network made for pretrained weights, for those are what comes from files.
    """
    of = type(family).__name__
    second = built(family, name, image_size, maps, pretrained=True, seed=1)
    rule = f"{of}: weights that were saved must be loaded as they were"
    given = "the state dict of the network made with pretrained=True, as a .safetensors file"
    tensors = {
        key: tensor.detach().clone().contiguous() for key, tensor in first.vit.state_dict().items()
    }
    with TemporaryDirectory() as folder:
        file, foreign = Path(folder) / "own.safetensors", Path(folder) / "foreign.safetensors"
        save_file(tensors, file)
        save_file({"of.another.network": torch.zeros(3)}, foreign)
        with keeping(
            rule,
            given=given,
            do="`converted` must pass on what has the network's own names already",
        ):
            load_weights(second, family, name, str(file))
        _check_foreign(family, name, second, foreign)
    with keeping(rule, given=given), torch.no_grad():
        images = images_of(image_size, rows=1)
        wanted = first.eval()(images)
        found = second.maps(second.module.eval(), images)
    if not all(torch.equal(a, b) for a, b in zip(wanted, found, strict=True)):
        raise BrokenRuleError(
            rule,
            given=given,
            expected="the same maps",
            found="other maps",
            do="everything that the maps depend on must be in the module's state dict",
        )


def _check_foreign(family: BackboneFamily, name: str, encoder: Encoder, foreign: Path) -> None:
    of, given = type(family).__name__, "a file with one tensor, `of.another.network`"
    with keeping(
        f"{of}.converted must raise a ValueError with the reason for a foreign file", given=given
    ):
        try:
            load_weights(encoder, family, name, str(foreign))
        except WeightsError:
            return
    raise BrokenRuleError(
        f"{of}: a file of another network must be refused",
        given=given,
        found="no error",
        do="`converted` must not fill in what a file lacks",
    )
