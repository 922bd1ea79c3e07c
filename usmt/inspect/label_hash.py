"""Whether two labels are the same, whatever their type."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np


def label_hash(label: Any) -> str:
    """Equal for equal labels of one task: arrays by shape and values, mappings, sets and sequences
    item by item, anything else as Python writes it."""
    return hashlib.sha256(_as_bytes(label)).hexdigest()


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, np.ndarray) and value.dtype != object:
        return repr((value.shape, value.dtype)).encode() + value.tobytes()
    if isinstance(value, Mapping):
        return _as_bytes(sorted(([key, value[key]] for key in value), key=repr))
    if isinstance(value, set | frozenset):  # Python writes equal sets in different orders
        return _as_bytes(sorted(value, key=repr))
    if isinstance(value, list | tuple):
        return b"[" + b",".join(map(_as_bytes, value)) + b"]"
    return repr(value).encode()
