"""Whether two values are the same to the last bit, whatever they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def same(one: Any, other: Any) -> bool:
    """Equal types and equal values all through; NaN equals NaN. Arrays and tensors by dtype, shape
    and values, dataclasses by their fields; numpy's numbers are Python's."""
    one, other = (each.item() if isinstance(each, np.generic) else each for each in (one, other))
    if type(one) is not type(other):
        return False
    if is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if hasattr(one, "detach"):
        return same(one.detach().cpu().numpy(), other.detach().cpu().numpy())
    if isinstance(one, np.ndarray):
        if one.dtype != other.dtype:
            return False
        return np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
    return bool(one == other or (one != one and other != other))
