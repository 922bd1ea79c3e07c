"""Pretrained weights for a backbone: found, read safely, and made to fit exactly or refused."""

from __future__ import annotations

import argparse
import hashlib
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from usmt.backbone_family import BackboneFamily, Encoder
from usmt.errors import PluginError, WeightsError, near
from usmt.plugin_faults import blamed, fault

WAY_OUT = (
    "Set the backbone's weights to a .safetensors or .pth file of this network, "
    "or to `none` to start from random weights on purpose"
)
PICKLES = (".pth", ".pt", ".bin", ".ckpt")
WRAPPERS = ("state_dict", "model", "teacher", "module")
PREFIXES = ("module.", "_orig_mod.", "backbone.")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a backbone's weights come from.

    Attributes:
        source: `none`, a path, or where they are published.
        sha256: of the file; None for random weights.
        tensors: how many tensors were loaded.
        ignored: tensors of the file that were not, all of them of a classification head.
        licence: of the published weights, as their family states it; None where the source is a
            file.
    """

    source: str
    sha256: str | None = None
    tensors: int = 0
    ignored: tuple[str, ...] = ()
    licence: str | None = None


def load_weights(encoder: Encoder, family: BackboneFamily, name: str, weights: str) -> Provenance:
    """Loads all tensors of a network, or none of them.

    Args:
        encoder: built by the family for `name`; changed in place.
        weights: `pretrained`, `none`, or a path.

    Raises:
        WeightsError: the weights cannot be had, cannot be read, or are of another network.
    """
    if weights == "none":
        return Provenance("none")
    if weights == "pretrained":
        path, source = _published(family, name)
        licence = _licence(family, name)
    else:
        path, licence = weight_file(weights), None
        source = str(path)
    read = read_tensors(path)
    with blamed(f"the family {family.name}, converting {path}", family):
        try:
            tensors = family.converted(name, read, encoder)
        except ValueError as error:
            raise WeightsError(
                f"{path}: not weights of {name}: {_first_line(error)}", hint=WAY_OUT
            ) from error
    if not isinstance(tensors, Mapping):
        kind = type(tensors).__name__
        said = f"converted() of the family {family.name} gave a {kind}, expected tensors by name"
        raise fault(said, family.converted)
    ignored = _check_fit(tensors, encoder.module.state_dict(), name, path)
    fitting = {key: tensor for key, tensor in tensors.items() if key not in ignored}
    encoder.module.load_state_dict(fitting, strict=True)
    return Provenance(source, _sha256(path), len(fitting), ignored, licence)


def weight_file(weights: str) -> Path:
    """The file that `backbone.weights` names. Raises WeightsError where there is none."""
    path = Path(weights).expanduser()
    if not path.is_file():
        raise WeightsError(
            f"no weights at '{weights}'{near(path.name, ['pretrained', 'none'])}", hint=WAY_OUT
        )
    return path


def _published(family: BackboneFamily, name: str) -> tuple[Path, str]:
    with blamed(f"the family {family.name}, fetching the weights of {name}", family):
        path, source = family.published(name)
    if not isinstance(path, Path) or not path.is_file():
        said = f"published() of the family {family.name} gave {path!r}, expected the Path of a file"
        raise fault(said, family.published)
    return path, str(source)


def _licence(family: BackboneFamily, name: str) -> str | None:
    try:
        with blamed(f"the family {family.name}, describing {name}", family):
            return family.card(name).licence or None
    except PluginError:  # weights that are there are not lost for want of a card
        return None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, on the CPU, without wrappers and their prefixes.

    Pickles are read with `weights_only`: nothing in them is executed. Raises WeightsError.
    """
    try:
        content = _read(path)
    except (OSError, ValueError, SafetensorError) as error:
        reason = _first_line(error)
        raise WeightsError(f"{path}: cannot be read as weights: {reason}", hint=WAY_OUT) from error
    while wrapper := next((w for w in WRAPPERS if isinstance(content.get(w), Mapping)), None):
        content = content[wrapper]
    others = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if others or not content:
        raise WeightsError(
            f"{path}: not the weights of a network: {_listed(others)} are not tensors"
            if others
            else f"{path}: holds no tensors",
            hint=WAY_OUT,
        )
    return {_without_prefix(str(key)): tensor for key, tensor in content.items()}


def _read(path: Path) -> Mapping[str, Any]:
    if path.suffix == ".safetensors":
        return load_file(path)
    if path.suffix not in PICKLES:
        raise ValueError(f"'{path.suffix}' is none of .safetensors, {', '.join(PICKLES)}")
    # timm's own training checkpoints hold their arguments, a class without behaviour.
    with torch.serialization.safe_globals([argparse.Namespace]):
        content = load_plain(path)
    if not isinstance(content, Mapping):
        raise ValueError(f"it holds a {type(content).__name__}, not tensors by name")
    return content


def load_plain(path: Path) -> Any:
    """What `torch.save` wrote, on the CPU: tensors and plain values. Nothing in it is executed.

    Raises ValueError for a file that is damaged or holds anything else, OSError.
    """
    try:
        with warnings.catch_warnings():  # of pickles that torch did not write: they are refused
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # the unpickler raises whatever a damaged file leads it to
        reason = "not a plain file of tensors: it holds other objects or is damaged"
        raise ValueError(f"{path.name} is {reason}") from error


def _without_prefix(key: str) -> str:
    while prefix := next((p for p in PREFIXES if key.startswith(p)), None):
        key = key.removeprefix(prefix)
    return key


def _check_fit(
    tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], name: str, path: Path
) -> tuple[str, ...]:
    """Names that may be left out. Raises WeightsError unless all others fit."""
    extra = tensors.keys() - wanted.keys()
    heads = {key for key in extra if _of_head(key)}
    misfits = [
        f"{key} {tuple(tensors[key].shape)} for {tuple(wanted[key].shape)}"
        for key in wanted
        if key in tensors and tensors[key].shape != wanted[key].shape
    ]
    broken = [
        key for key in wanted if key in tensors and not bool(torch.isfinite(tensors[key]).all())
    ]
    problems = {
        "missing": [key for key in wanted if key not in tensors],
        "of another shape": misfits,
        "unknown": sorted(extra - heads),
        "with values that are not finite": broken,
    }
    if any(problems.values()):
        counts = "\n".join(
            f"  {len(keys)} {what}: {_listed(keys)}" for what, keys in problems.items() if keys
        )
        raise WeightsError(
            f"{path}: not weights of {name} (it has {len(wanted)} tensors)\n{counts}", hint=WAY_OUT
        )
    return tuple(sorted(heads))


def _of_head(key: str) -> bool:
    """True for the classifier and for the projection heads of pretraining (`dino_head.`...)."""
    part = key.split(".")[0]
    return part.startswith("head") or part.endswith("head") or part in ("fc", "classifier")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _listed(names: Iterable[str], shown: int = 4) -> str:
    names = list(names)
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
