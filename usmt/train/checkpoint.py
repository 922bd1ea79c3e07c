"""Checkpoints that survive being killed, and are checked before they are believed.

A checkpoint is a folder: `model.safetensors`, for `last/` also `optimizer.pt` (tensors and plain
values, loaded with weights-only), `state.json`, and `manifest.json` with the SHA-256 of each. A new
one is written beside the old and takes its place by renaming, so that at every moment one of the
two is whole; `recover` finishes a replacement that was cut short.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from usmt.errors import CheckpointError
from usmt.model.weights import load_plain

MANIFEST = "manifest.json"
WEIGHTS = "model.safetensors"
OPTIMIZER = "optimizer.pt"
STATE = "state.json"

WAY_OUT = "Restore the folder from a copy, or train again; nothing was loaded."


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint folder holds.

    Attributes:
        weights: the network's state dict.
        state: plain values (epoch, step, sampler, best score, ...).
        optimizer: the optimizer's state dict; None for weights alone.
    """

    weights: Mapping[str, Tensor]
    state: Mapping[str, Any]
    optimizer: Mapping[str, Any] | None = None


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint in the place of the folder's old one."""
    recover(folder)
    fresh = _fresh(folder)
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    weights = {name: t.detach().cpu().contiguous() for name, t in checkpoint.weights.items()}
    save_file(weights, fresh / WEIGHTS)
    if checkpoint.optimizer is not None:
        torch.save(checkpoint.optimizer, fresh / OPTIMIZER)
    (fresh / STATE).write_text(json.dumps(checkpoint.state, indent=1), encoding="utf-8")
    files = sorted(path.name for path in fresh.iterdir())
    manifest = {"format": 1, "sha256": {name: sha256(fresh / name) for name in files}}
    (fresh / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    for path in fresh.iterdir():
        _flush(path)
    _replace(folder)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Reads a checkpoint. Raises CheckpointError if it is missing, cut short or tampered with."""
    recover(folder)
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: there is no checkpoint", hint=WAY_OUT)
    _check(folder)
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        weights = load_file(folder / WEIGHTS)
        optimizer = None
        if (folder / OPTIMIZER).exists():
            optimizer = load_plain(folder / OPTIMIZER)
    except (OSError, ValueError, SafetensorError, RecursionError) as error:
        raise _damaged(folder, str(error).splitlines()[0]) from None
    return Checkpoint(weights, state, optimizer)


def recover(folder: Path) -> None:
    """Finishes a replacement that was cut short between its two renames."""
    if not folder.exists() and (_fresh(folder) / MANIFEST).exists() and _old(folder).exists():
        _fresh(folder).rename(folder)
    if folder.exists():
        shutil.rmtree(_old(folder), ignore_errors=True)


def _replace(folder: Path) -> None:
    if folder.exists():
        folder.rename(_old(folder))
    _fresh(folder).rename(folder)
    shutil.rmtree(_old(folder), ignore_errors=True)
    _flush(folder.parent)


def _fresh(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.new")


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _flush(path: Path) -> None:
    """Makes sure that a file's or folder's content is on the disk before what follows."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check(folder: Path) -> None:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        expected = dict(manifest["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        raise _damaged(folder, f"{MANIFEST} is missing or unreadable") from None
    if not {WEIGHTS, STATE} <= set(expected):
        raise _damaged(folder, f"{MANIFEST} does not list {WEIGHTS} and {STATE}")
    for name, digest in expected.items():
        if Path(name).name != name or not (folder / name).is_file():
            raise _damaged(folder, f"{name} is missing")
        if sha256(folder / name) != digest:
            raise _damaged(folder, f"{name} is not what was written (its SHA-256 differs)")
    unknown = {path.name for path in folder.iterdir()} - set(expected) - {MANIFEST}
    if unknown:
        raise _damaged(folder, f"{sorted(unknown)[0]} does not belong to it")


def _damaged(folder: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{folder}: the checkpoint is damaged: {reason}",
        hint=WAY_OUT,
    )


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
