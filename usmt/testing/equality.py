"""Whether two values are the same, whatever they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def same(one: Any, other: Any, *, within: float = 0.0) -> bool:
    """Equal types and equal values all through; NaN equals NaN. Arrays and tensors by dtype, shape
    and values, dataclasses and objects without an `__eq__` by what they hold; numpy's numbers are
    Python's.

    Args:
        within: how far floats may be apart, relative to what is larger: 1, or they themselves. By
            default they are the same to the last bit.
    """
    if one is other:
        return True
    one, other = (each.item() if isinstance(each, np.generic) else each for each in (one, other))
    if type(one) is not type(other):
        return False
    if is_dataclass(one):
        return all(
            same(getattr(one, f.name), getattr(other, f.name), within=within) for f in fields(one)
        )
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(
            same(one[key], other[key], within=within) for key in one
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(
            same(a, b, within=within) for a, b in zip(one, other, strict=True)
        )
    if hasattr(one, "detach"):
        one, other = (each.detach().cpu() for each in (one, other))
        if one.dtype != other.dtype:
            return False
        one, other = (each.double() if each.is_floating_point() else each for each in (one, other))
        return same(one.numpy(), other.numpy(), within=within)
    if isinstance(one, np.ndarray):
        return _same_arrays(one, other, within)
    if isinstance(one, float) and abs(one - other) <= within * max(1.0, abs(one), abs(other)):
        return True
    if getattr(type(one), "__eq__", None) is object.__eq__:
        return same(_held(one), _held(other), within=within)
    return bool(np.all(one == other)) or bool(np.all((one != one) & (other != other)))


def _same_arrays(one: np.ndarray, other: np.ndarray, within: float) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype.kind == "O":
        return same(one.tolist(), other.tolist(), within=within)
    if one.dtype.kind not in "fc":
        return np.array_equal(one, other)
    return bool(np.allclose(one, other, rtol=within, atol=within, equal_nan=True))


def _held(value: Any) -> dict[str, Any]:
    """What an object holds, by name, in `__dict__` and in slots."""
    slots = [
        name
        for part in type(value).__mro__
        for names in [getattr(part, "__slots__", ())]
        for name in ([names] if isinstance(names, str) else names)
        if hasattr(value, name)
    ]
    return {**getattr(value, "__dict__", {}), **{name: getattr(value, name) for name in slots}}
