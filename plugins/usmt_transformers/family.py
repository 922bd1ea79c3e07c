"""The family `transformers`: networks that the transformers library builds, by their names on the
Hugging Face hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from usmt import BackboneCard, BackboneFamily, Encoder, WeightsError, check_image_size
from usmt_transformers.networks import NETWORKS, VisionTransformer, card

if TYPE_CHECKING:
    from torch import Tensor


class TransformersFamily(BackboneFamily):
    name = "transformers"

    def cards(self) -> Sequence[BackboneCard]:
        return [card(name) for name in NETWORKS]

    def has(self, name: str) -> bool:
        return name in NETWORKS

    def build(
        self, name: str, *, image_size: int, maps: int, drop_path: float, pretrained: bool
    ) -> Encoder:
        from usmt_transformers import convnext, vision_transformer

        network = NETWORKS[name]
        check_image_size(name, image_size, network.strides[-1], "stride")
        if isinstance(network, VisionTransformer):
            return vision_transformer.build(name, network, image_size, maps, drop_path)
        return convnext.build(name, network, image_size, maps, drop_path)

    def published(self, name: str) -> tuple[Path, str]:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import GatedRepoError

        try:
            path = hf_hub_download(name, "model.safetensors")
        except GatedRepoError:
            raise _not_had(name, "access has not been granted to you") from None
        except Exception as error:  # the hub's client, its transport and the disk have own kinds
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise _not_had(name, reason) from error
        return Path(path), f"https://huggingface.co/{name}"

    def converted(
        self, name: str, tensors: Mapping[str, Tensor], encoder: Encoder
    ) -> Mapping[str, Tensor]:
        """From the names of the hub's files, and from those of Meta's."""
        from usmt_transformers.tensor_names import hub_names

        named = hub_names(tensors)
        # Releases of the library differ in whether blocks are inside of a `model`.
        own = {key.removeprefix("model."): key for key in encoder.module.state_dict()}
        return {own.get(key.removeprefix("model."), key): named[key] for key in named}


def _not_had(name: str, reason: str) -> WeightsError:
    return WeightsError(
        f"the pretrained weights of {name} could not be had from the Hugging Face hub: {reason}",
        hint=f"{card(name).obtain} `none` starts from random weights.",
    )
