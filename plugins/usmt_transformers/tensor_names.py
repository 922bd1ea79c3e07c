"""The names of tensors: those of Meta's files, and those of the files on the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

_OF_VISION_TRANSFORMER = {
    r"^(cls_token|mask_token)$": r"embeddings.\1",
    r"^storage_tokens$": "embeddings.register_tokens",
    r"^patch_embed\.proj\.": "embeddings.patch_embeddings.",
    r"^blocks\.": "layer.",
    r"\.attn\.proj\.": ".attention.o_proj.",
    r"\.attn\.": ".attention.",
    r"\.ls([12])\.gamma$": r".layer_scale\1.lambda1",
    r"\.mlp\.w1\.": ".mlp.gate_proj.",
    r"\.mlp\.(fc1|w2)\.": ".mlp.up_proj.",
    r"\.mlp\.(fc2|w3)\.": ".mlp.down_proj.",
}
_OF_CONVNEXT = {
    r"^stages\.(\d+)\.": r"stages.\1.layers.",
    r"^downsample_layers\.(\d+)\.": r"stages.\1.downsample_layers.",
    r"\bnorm\.": "layer_norm.",
    r"\.dwconv\.": ".depthwise_conv.",
    r"\.pwconv([12])\.": r".pointwise_conv\1.",
}


def hub_names(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The tensors of one of Meta's files as the hub's are named and shaped; others as they are.

    Raises `ValueError` for a file of timm, which has its own family.
    """
    if "reg_token" in tensors or "stem.0.weight" in tensors:
        raise ValueError("its tensors are named as timm's: use timm's name of the network")
    if "storage_tokens" in tensors:
        return _vision_transformer(tensors)
    if "downsample_layers.0.0.weight" in tensors:
        return {
            _renamed(name, _OF_CONVNEXT): tensor
            for name, tensor in tensors.items()
            if not name.startswith("norms.")  # the final norm once more
        }
    return tensors


def _vision_transformer(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    named: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        hub_name = _renamed(name, _OF_VISION_TRANSFORMER)
        if name.endswith(".bias_mask") or name.startswith(("rope_embed.", "local_cls_norm.")):
            continue  # computed, or of pretraining alone
        if ".qkv." in name and tensor.ndim > 0:
            for part, share in zip("qkv", tensor.chunk(3), strict=False):
                # Keys have no bias: Meta's layer has one, and multiplies it by zero.
                of_keys = part == "k" and name.endswith(".bias")
                if not of_keys or (f"{name}_mask" not in tensors and share.any()):
                    named[hub_name.replace("qkv", f"{part}_proj")] = share
        elif name == "mask_token" and tensor.ndim == 2:
            named[hub_name] = tensor[None]
        else:
            named[hub_name] = tensor
    return named


def _renamed(name: str, parts: Mapping[str, str]) -> str:
    for of_meta, of_hub in parts.items():
        name = re.sub(of_meta, of_hub, name)
    return name
