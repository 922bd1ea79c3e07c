"""What a failed check says, in people's words."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from traceback import extract_tb
from typing import Any, ParamSpec

import numpy as np

Asked = ParamSpec("Asked")


class BrokenRuleError(AssertionError):
    """A plugin breaks a rule of its contract.

    Args:
        rule: what holds for every plugin of the kind.
        given: what the plugin was given.
        expected, found: what it should have done with that, and what it did.
        do: how to mend it.
    """

    def __init__(
        self, rule: str, *, given: str = "", expected: str = "", found: str = "", do: str = ""
    ) -> None:
        parts = {"given": given, "expected": expected, "found": found, "to do": do}
        lines = [f"  {name + ':':9} {text}" for name, text in parts.items() if text]
        super().__init__("\n".join([rule, *lines]))
        self.rule = rule


@contextmanager
def keeping(rule: str, *, given: str = "", do: str = "") -> Iterator[None]:
    """Runs a plugin's code, for which an exception breaks the rule."""
    try:
        yield
    except BrokenRuleError:
        raise
    except Exception as error:
        where = extract_tb(error.__traceback__)[-1]
        raise BrokenRuleError(
            rule,
            given=given,
            expected="no exception",
            found=f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})",
            do=do,
        ) from error


def told_alone(check: Callable[Asked, None]) -> Callable[Asked, None]:
    """A check whose error shows the line that asked for it, and not what is inside usmt."""

    @wraps(check)
    def asked(*args: Asked.args, **options: Asked.kwargs) -> None:
        __tracebackhide__ = True  # pytest leaves this frame out
        try:
            check(*args, **options)
        except BrokenRuleError as error:
            raise error.with_traceback(None) from error.__cause__

    return asked


def described(value: Any) -> str:
    """A value, short, on one line."""
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype} of shape {value.shape}"
    if hasattr(value, "dtype") and hasattr(value, "shape") and value.shape:
        return f"a tensor {value.dtype} of shape {tuple(value.shape)}"
    return " ".join(reprlib.repr(value).split())
