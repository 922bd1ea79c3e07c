"""The weights that timm publishes, and weight files under timm's names."""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
from timm.layers import resample_abs_pos_embed
from torch import Tensor, nn

from usmt import WeightsError
from usmt_timm.networks import sketched

WAY_OUT = (
    "Set backbone.weights to a .safetensors or .pth file of this network, "
    "or to `none` to start from random weights on purpose"
)


def download(name: str) -> tuple[Path, str]:
    """The file, and the page of its repository; from the local cache of the Hugging Face hub where
    it is there. Raises WeightsError."""
    from huggingface_hub import hf_hub_download  # heavy, and only needed here

    settings = sketched(name).pretrained_cfg
    repository = settings.get("hf_hub_id")
    if not repository:
        raise WeightsError(f"timm publishes no pretrained weights for {name}", hint=WAY_OUT)
    filename = settings.get("hf_hub_filename") or "model.safetensors"
    try:
        path = hf_hub_download(repository, filename)
    except Exception as error:  # the hub's client, its transport and the disk raise their own kinds
        raise WeightsError(
            f"the pretrained weights of {name} could not be had from the Hugging Face hub "
            f"({repository}/{filename}): {_first_line(error)}",
            hint=f"Download that file where there is a network. {WAY_OUT}",
        ) from error
    return Path(path), f"https://huggingface.co/{repository}"


def converted(name: str, tensors: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """With timm's names and sizes: its filters know the original checkpoints (Meta's DINOv3, say)
    and resample position and patch embeddings to another input size. Left out are what pretraining
    alone needs, and counts of batches, which no normalisation of ours keeps. Raises ValueError."""
    _check_biases(tensors, network)
    kept = {key: value for key, value in tensors.items() if not key.endswith("num_batches_tracked")}
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the filter prints what it passes over
            named = _sized(_filter_of(name, network)(kept, network), network)
    except (LookupError, ValueError, TypeError, AttributeError, AssertionError, RuntimeError) as e:
        raise ValueError(f"timm cannot convert them: {_first_line(e)}") from e
    own = network.state_dict()
    return {key: one for key, one in named.items() if key in own or not _of_pretraining(key)}


def _filter_of(name: str, network: nn.Module) -> Any:
    """timm's function that converts checkpoints, of the module that has the network's name, or of
    the one that has its class."""
    entry = timm.models.model_entrypoint(name.partition(".")[0])
    for module in (inspect.getmodule(entry), inspect.getmodule(type(network))):
        if convert := getattr(module, "checkpoint_filter_fn", None):
            return convert
    return lambda tensors, _network: tensors


def _of_pretraining(key: str) -> bool:
    """The decoder of a masked autoencoder, and the token and head of masked image modelling."""
    return key.startswith(("decoder_", "mask_token", "lm_head."))


def _check_biases(tensors: Mapping[str, Tensor], network: nn.Module) -> None:
    """timm's filter passes over Meta's biases of queries and values where its network has none."""
    if "storage_tokens" not in tensors or any(
        key.endswith("attn.q_bias") for key, _ in network.named_parameters()
    ):
        return
    for key, bias in tensors.items():
        if key.endswith("attn.qkv.bias"):
            query, _, value = bias.chunk(3)
            if query.any() or value.any():
                raise ValueError(
                    f"{key} has biases of queries and values, which this network is built without: "
                    "use the one whose name goes on with _qkvb"
                )


def _sized(tensors: Mapping[str, Tensor], network: Any) -> dict[str, Tensor]:
    """Position embeddings of another input size resampled, where no filter of timm's does it."""
    named = dict(tensors)
    given, wanted = named.get("pos_embed"), getattr(network, "pos_embed", None)
    if given is None or wanted is None or given.ndim != 3 or given.shape == wanted.shape:
        return named
    height, width = network.patch_embed.grid_size
    named["pos_embed"] = resample_abs_pos_embed(
        given, [height, width], num_prefix_tokens=wanted.shape[1] - height * width
    )
    return named


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
