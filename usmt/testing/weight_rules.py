"""Rules for weight files: what was saved is loaded again, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import save_file

from usmt.backbone_family import BackboneFamily
from usmt.errors import WeightsError
from usmt.model.weights import load_weights
from usmt.testing.broken_rule import BrokenRuleError, keeping
from usmt.testing.encoder_rules import built, images_of


def check_weight_file(family: BackboneFamily, name: str, image_size: int, maps: int) -> None:
    """A network's own state dict goes through a file; a file of something else is refused."""
    of = type(family).__name__
    images = images_of(image_size, rows=1)
    first, second = (built(family, name, image_size, maps) for _ in range(2))
    with torch.no_grad():
        for tensor in second.module.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.01)
        wanted = first.maps(first.module.eval(), images)
    rule = f"{of}: weights that were saved must be loaded as they were"
    tensors = {
        key: tensor.detach().clone().contiguous()
        for key, tensor in first.module.state_dict().items()
    }
    with TemporaryDirectory() as folder:
        file, foreign = Path(folder) / "own.safetensors", Path(folder) / "foreign.safetensors"
        save_file(tensors, file)
        save_file({"of.another.network": torch.zeros(3)}, foreign)
        with keeping(
            rule,
            given="the state dict of the network, as a .safetensors file",
            do="`converted` must pass on what has the network's own names already",
        ):
            load_weights(second, family, name, str(file))
        try:
            with keeping(
                f"{of}.converted must raise a ValueError with the reason for a foreign file",
                given="a file with one tensor, `of.another.network`",
            ):
                try:
                    load_weights(second, family, name, str(foreign))
                except WeightsError:
                    pass
                else:
                    raise BrokenRuleError(
                        f"{of}: a file of another network must be refused",
                        given="a file with one tensor, `of.another.network`",
                        found="no error",
                        do="`converted` must not fill in what a file lacks",
                    )
        finally:
            foreign.unlink()
    with torch.no_grad():
        found = second.maps(second.module.eval(), images)
    if not all(torch.equal(a, b) for a, b in zip(wanted, found, strict=True)):
        raise BrokenRuleError(
            rule,
            given="the state dict of the network, as a .safetensors file",
            expected="the same maps",
            found="other maps",
            do="everything that the maps depend on must be in the module's state dict",
        )
