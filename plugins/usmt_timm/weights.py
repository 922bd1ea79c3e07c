"""The weights that timm publishes, and weight files under timm's names."""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Mapping
from pathlib import Path

import timm
from torch import Tensor, nn

from usmt import WeightsError

WAY_OUT = (
    "Set backbone.weights to a .safetensors or .pth file of this network, "
    "or to `none` to start from random weights on purpose"
)


def download(name: str) -> tuple[Path, str]:
    """The file, and the page of its repository; from the local cache of the Hugging Face hub where
    it is there. Raises WeightsError."""
    from huggingface_hub import hf_hub_download  # heavy, and only needed here

    entry = timm.get_pretrained_cfg(name)
    if entry is None or not entry.hf_hub_id:
        raise WeightsError(f"timm publishes no pretrained weights for {name}", hint=WAY_OUT)
    repository, filename = entry.hf_hub_id, entry.hf_hub_filename or "model.safetensors"
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
    and resample position and patch embeddings to another input size. Counts of batches are left
    out, which no normalisation of ours keeps. Raises ValueError."""
    kept = {key: value for key, value in tensors.items() if not key.endswith("num_batches_tracked")}
    module = inspect.getmodule(timm.models.model_entrypoint(name.partition(".")[0]))
    convert = getattr(module, "checkpoint_filter_fn", None)
    if convert is None:
        return kept
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the filter prints what it passes over
            return dict(convert(kept, network))
    except (LookupError, ValueError, TypeError, AttributeError, AssertionError, RuntimeError) as e:
        raise ValueError(f"timm cannot convert them: {_first_line(e)}") from e


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
