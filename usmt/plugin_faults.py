"""What a plugin's code does wrong when it runs, told as the plugin's, with file and line."""

from __future__ import annotations

import errno
import inspect
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from traceback import walk_tb
from typing import Any

from usmt.errors import PluginError, UsmtError

OF_THE_MACHINE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO),
    *(errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP),
}
"""A full disk, a missing permission, a folder where a file should be: nobody's defect."""

WAY_OUT = "This is a fault of the plugin that gives it; see: usmt plugins list"


@contextmanager
def contained(errors: list[str], root: str) -> Iterator[None]:
    """Runs a plugin's code: what it raises goes to `errors`, what it prints to stderr.

    `root` is the plugin's top-level module, to name the line of the plugin that was at work.
    Ctrl-C goes through; an exit does not. Folders that are taken out of `sys.path` are put back.
    """
    path, folders = sys.path, list(sys.path)
    try:
        with redirect_stdout(sys.stderr):
            yield
    except PluginError as error:
        errors.append(str(error))
    except (Exception, SystemExit) as error:
        errors.append(in_words(error) + _bracketed(raised_at(error, root)))
    finally:
        if lost := [folder for folder in folders if folder not in sys.path]:
            errors.append(
                f"it takes {len(lost)} folder{'s' * (len(lost) > 1)} out of sys.path, which usmt "
                f"has put back{_file_of(root)}"
            )
            path[:] = [*(folder for folder in sys.path if folder not in folders), *folders]
            sys.path = path


def _file_of(root: str) -> str:
    return _bracketed(getattr(sys.modules.get(root), "__file__", None))


@contextmanager
def blamed(what: str, *of: object) -> Iterator[None]:
    """Runs a plugin's code in the middle of a command: what it raises, but for errors that are
    made for people and for those of the machine, becomes a `PluginError` with the plugin's line.

    Args:
        what: was being done, for the message: `the family timm, building vit_tiny`.
        of: the plugin's objects, classes or functions whose code is run.
    """
    try:
        yield
    except UsmtError:
        raise
    except Exception as error:  # whatever a plugin's code may raise
        if _of_the_machine(error):
            raise
        raise PluginError(
            f"{what}: {in_words(error)}{_bracketed(_place(error, of))}", hint=WAY_OUT
        ) from error


def fault(message: str, of: object) -> PluginError:
    """The error for what a plugin's code gives, where it is not what its contract says.

    Args:
        message: what was asked, what was expected, what came.
        of: the plugin's object, class or function that gave it.
    """
    return PluginError(message + _bracketed(place_of(of)), hint=WAY_OUT)


def _place(error: Exception, of: tuple[object, ...]) -> str:
    """Of the plugin's line that was at work; of its functions where it came to none, as when they
    take other arguments. Methods that a plugin does not define are usmt's, and no place to look."""
    own = [each for each in of if root_of(each) != "usmt"]
    for each in own:
        if place := raised_at(error, root_of(each)):
            return place
    functions = [each for each in own if inspect.isroutine(each)]
    return " or ".join(filter(None, map(place_of, functions or own)))


def _of_the_machine(error: Exception) -> bool:
    out_of_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return out_of_memory or (isinstance(error, OSError) and error.errno in OF_THE_MACHINE)


def in_words(error: BaseException) -> str:
    """An error in one text, with its notes: which record was read, say."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    notes = "".join(f", {note}" for note in getattr(error, "__notes__", ()))
    return f"{type(error).__name__}: {text}{notes}"


def raised_at(error: BaseException, root: str) -> str:
    """`file:line` of the innermost line of a top-level module that was at work; of a syntax error
    the line that has it. Empty where there is none."""
    if isinstance(error, SyntaxError) and Path(error.filename or "").is_file():
        return f"{error.filename}:{error.lineno}"
    return innermost(error, {root})[1]


def innermost(error: BaseException, roots: Collection[str]) -> tuple[str, str]:
    """The innermost of some top-level modules that were at work when an error came up, and
    `file:line`; both empty where none was."""
    for frame, line in reversed(list(walk_tb(error.__traceback__))):
        root = top_level(frame.f_globals.get("__name__"))
        if root in roots:
            return root, f"{frame.f_code.co_filename}:{line}"
    return "", ""


def root_of(part: object) -> str:
    """The top-level module that an object, class or function of a plugin is from."""
    return top_level(getattr(part, "__module__", ""))


def top_level(module: object) -> str:
    return str(module).partition(".")[0]


def place_of(part: Any) -> str:
    """`file:line` of a function or class, or of an object's class; empty where its source cannot
    be read."""
    try:
        if code := getattr(inspect.unwrap(part), "__code__", None):
            return f"{code.co_filename}:{code.co_firstlineno}"
        cls = part if isinstance(part, type) else type(part)
        return f"{inspect.getsourcefile(cls)}:{inspect.getsourcelines(cls)[1]}"
    except (OSError, TypeError, ValueError):
        return ""


def class_place(cls: type) -> str:
    """` (file:line)` of a class; nothing where its source cannot be read."""
    return _bracketed(place_of(cls))


def _bracketed(place: str | None) -> str:
    return f" ({place})" if place else ""
