"""A prepared image as a file: fitted to the network's size, with its label.

A safetensors file: reading it runs no code. Its metadata say what the tensors are, name the key
under which it was written, and hold a SHA-256 over all of it: what is damaged, changed by hand or
of another origin is not believed.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torchvision import tv_tensors

from usmt.data.geometry import Frame, Size
from usmt.data.grey import as_three, distinct
from usmt.dataset import Dataset
from usmt.task_spec import TaskSpec
from usmt.task_type import TaskType

FORMAT = 1

MAKERS = ("geometry", "grey", "image_file", "images", "prepared")
"""The modules beside this one that make a prepared image."""

Fitted = tuple[Tensor, dict[str, Any], Frame]
"""An image uint8 (3, h, w), its wrapped label on the same canvas, and its frame."""


class NotStorableError(Exception):
    """A label holds something that would not come back as it was."""


# -- keys


def recipe(spec: TaskSpec, task_type: TaskType, dataset: Dataset, size: Size) -> str:
    """Everything that a prepared image depends on, besides the image and label themselves.

    All options of the task type are part of it: which of them its labels depend on, nobody but
    the type knows.
    """
    parts = {
        "format": FORMAT,
        "size": list(size),
        "spec": spec.model_dump(mode="json"),
        "code": [_source(str(Path(__file__).with_name(f"{name}.py")), ()) for name in MAKERS],
        "type": [task_type.name, task_type.options.model_dump(mode="json"), _code(task_type)],
        "dataset": [dataset.name, _code(dataset)],
        "versions": {
            name: version(name) for name in ("usmt", "torch", "torchvision", "pillow", "numpy")
        },
    }
    return _sha256(json.dumps(parts, sort_keys=True))


def key_of(recipe: str, fingerprint: str) -> str:
    """The name of one prepared image: 64 hexadecimal digits."""
    return _sha256(f"{recipe} {fingerprint}")


def _code(plugin: object) -> list[str]:
    """Hashes of the packages that a plugin's class and its bases come from: a plugin that is being
    written changes more often than its version."""
    roots = {base.__module__.partition(".")[0] for base in type(plugin).__mro__}
    modules = [sys.modules.get(root) for root in sorted(roots - {"abc", "builtins", "usmt"})]
    return [
        _source(file, tuple(getattr(module, "__path__", ())))
        for module in modules
        if (file := getattr(module, "__file__", None)) is not None
    ]


@cache  # a file that is edited does not change the code that runs
def _source(file: str, folders: tuple[str, ...]) -> str:
    files = [path for folder in folders for path in sorted(Path(folder).rglob("*.py"))]
    return _sha256(*(path.read_bytes() for path in files or [Path(file)]))


def _sha256(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
    return digest.hexdigest()


# -- files


def pack(key: str, fitted: Fitted) -> bytes:
    """The bytes of a file. Raises NotStorableError for a label that a file cannot hold."""
    image, label, frame = fitted
    tensors = {"image": distinct(image)}
    kinds = {}
    for name, value in label.items():
        if isinstance(value, Tensor):
            tensors[f"label.{name}"] = value.as_subclass(Tensor)
        kinds[name] = _describe(value)
    content = json.dumps({"key": key, "original": list(frame.original), "label": kinds})
    try:
        # Copies: the library refuses tensors that share their memory.
        tensors = {
            name: tensor.clone(memory_format=torch.contiguous_format)
            for name, tensor in tensors.items()
        }
        return save(tensors, {"content": content, "sha256": _seal(content, tensors)})
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        raise NotStorableError(str(error)) from None


def unpack(path: Path, key: str, size: Size) -> Fitted | None:
    """What was written under a key for a network of this size; None for a file that is missing,
    damaged or not the one."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            # Copies: a mapping for each image that is kept in memory would be too many.
            names = file.keys()
            tensors = {name: file.get_tensor(name).clone() for name in names}
        content = json.loads(metadata["content"])
        if metadata["sha256"] != _seal(metadata["content"], tensors) or content["key"] != key:
            return None
        height, width = content["original"]
        label = {
            name: _restore(described, tensors.get(f"label.{name}"))
            for name, described in content["label"].items()
        }
        return as_three(tensors["image"]), label, Frame.fit((height, width), size)
    except (OSError, SafetensorError, RuntimeError, ValueError, LookupError, TypeError):
        return None


def _seal(content: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the description and the names, forms and bytes of all tensors."""
    parts: list[str | bytes] = [content]
    for name in sorted(tensors):
        tensor = tensors[name]
        parts.append(f" {name} {tensor.dtype} {list(tensor.shape)} ")
        parts.append(memoryview(tensor.reshape(-1).view(torch.uint8).numpy()))  # type: ignore[arg-type]
    return _sha256(*parts)


def _describe(value: Any) -> dict[str, Any]:
    """What a label's value is, without its numbers if they are a tensor's."""
    kind = type(value)
    if kind in (tv_tensors.Mask, tv_tensors.Image, Tensor):
        return {"kind": kind.__name__}
    if kind is tv_tensors.KeyPoints:
        return {"kind": "KeyPoints", "canvas": list(value.canvas_size)}
    if kind is tv_tensors.BoundingBoxes:
        canvas, form = list(value.canvas_size), value.format.name
        return {"kind": "BoundingBoxes", "canvas": canvas, "format": form}
    try:
        same = _alike(json.loads(json.dumps(value)), value)
    except (TypeError, ValueError, RecursionError):
        same = False
    if not same:
        raise NotStorableError(f"a {kind.__name__}")
    return {"kind": "value", "value": value}


def _restore(described: Mapping[str, Any], tensor: Tensor | None) -> Any:
    match described["kind"]:
        case "value":
            return described["value"]
        case "KeyPoints":
            return tv_tensors.KeyPoints(tensor, canvas_size=tuple(described["canvas"]))
        case "BoundingBoxes":
            canvas, form = tuple(described["canvas"]), described["format"]
            return tv_tensors.BoundingBoxes(tensor, format=form, canvas_size=canvas)
        case "Mask":
            return tv_tensors.Mask(tensor)
        case "Image":
            return tv_tensors.Image(tensor)
        case _:
            return tensor


def _alike(one: Any, other: Any) -> bool:
    """Equal, and of the same types all through: JSON makes lists of tuples, text of keys."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(map(_alike, one.values(), other.values()))
    return bool(one == other)
