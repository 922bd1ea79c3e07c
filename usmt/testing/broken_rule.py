"""What a failed check says, in people's words."""

from __future__ import annotations

import reprlib
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import Any, ParamSpec

import numpy as np

Asked = ParamSpec("Asked")

_packages: ContextVar[frozenset[str]] = ContextVar("_packages", default=frozenset())
"""Top packages of the plugin that is checked, which may be installed beside its libraries."""

_LIBRARIES = (
    str(Path(__file__).parents[1]),
    *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")),
)


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
def keeping(rule: str, *, given: str | Callable[[], str] = "", do: str = "") -> Iterator[None]:
    """Runs a plugin's code, for which an exception breaks the rule. `given` may be a function,
    where the words take longer than the code."""
    try:
        yield
    except BrokenRuleError:
        raise
    except Exception as error:
        words = given() if callable(given) else given
        raise BrokenRuleError(
            rule, given=words, expected="no exception", found=_told(error), do=do
        ) from error


def told_alone(check: Callable[Asked, None]) -> Callable[Asked, None]:
    """A check whose error shows the line that asked for it, and not what is inside usmt. Whatever
    else goes wrong in it is a broken rule too: nobody is to read usmt's code."""

    @wraps(check)
    def asked(*args: Asked.args, **options: Asked.kwargs) -> None:
        __tracebackhide__ = True  # pytest leaves this frame out
        plugin = next(iter((*args, *options.values())), None)
        token = _packages.set(_packages_of(plugin) | {_package(sys._getframe(1))})
        try:
            check(*args, **options)
        except BrokenRuleError as error:
            raise error.with_traceback(None) from error.__cause__
        except Exception as error:
            name = getattr(plugin, "__name__", described(plugin))
            raise BrokenRuleError(
                f"{name} did what {check.__name__} cannot take",
                found=_told(error),
                do=f"check the call of {check.__name__}, and what the plugin returns",
            ) from error
        finally:
            _packages.reset(token)

    return asked


def described(value: Any) -> str:
    """A value, short, on one line."""
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype} of shape {value.shape}"
    if hasattr(value, "dtype") and hasattr(value, "shape") and value.shape:
        return f"a tensor {value.dtype} of shape {tuple(value.shape)}"
    return " ".join(reprlib.repr(value).split())


def _told(error: Exception) -> str:
    """An exception with the author's own line that led to it: the deepest that is neither usmt's
    nor a library's. Without one, the mistake is in what was returned, and no line is named."""
    own = [
        f" ({frame.f_code.co_filename}:{line})"
        for frame, line in walk_tb(error.__traceback__)
        if _is_authors(frame)
    ]
    return f"{type(error).__name__}: {error}{own[-1] if own else ''}"


def _is_authors(frame: FrameType) -> bool:
    """Of the plugin, of its tests, or of what lies outside usmt and the installed libraries."""
    return _package(frame) in _packages.get() or not frame.f_code.co_filename.startswith(
        (*_LIBRARIES, "<")
    )


def _packages_of(plugin: Any) -> frozenset[str]:
    parts = plugin.__mro__ if isinstance(plugin, type) else ()
    return frozenset(part.__module__.partition(".")[0] for part in parts) - {
        *("usmt", "abc", "builtins", "torch", "typing")
    }


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
