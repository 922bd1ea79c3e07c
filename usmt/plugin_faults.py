"""What can be wrong with a plugin, found before it does harm, and said with file and line."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from traceback import walk_tb
from typing import Any

import pluggy

from usmt import hookspecs
from usmt.backbone_family import BackboneFamily
from usmt.dataset import Dataset, DatasetCard, DatasetLayout, DatasetOptions
from usmt.errors import PluginError, near
from usmt.executor import Executor, ExecutorOptions
from usmt.task_spec import TaskSpec
from usmt.task_type import TaskType, TaskTypeOptions

HOOKS = [name for name in vars(hookspecs) if name.startswith("usmt_")]
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PARTS: dict[type, dict[str, type]] = {
    TaskType: {"Spec": TaskSpec, "Options": TaskTypeOptions},
    Dataset: {"Options": DatasetOptions, "Layout": DatasetLayout},
    BackboneFamily: {},
    Executor: {"Options": ExecutorOptions},
}


@contextmanager
def contained(errors: list[str], root: str) -> Iterator[None]:
    """Runs a plugin's code: what it raises goes to `errors`, what it prints to stderr.

    `root` is the plugin's top-level module, to name the line of the plugin that was at work.
    Ctrl-C goes through; an exit does not.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except PluginError as error:
        errors.append(str(error))
    except (Exception, SystemExit) as error:
        errors.append(f"{type(error).__name__}: {error}{_raised_at(error, root)}")


def _raised_at(error: BaseException, root: str) -> str:
    if isinstance(error, SyntaxError):
        return ""  # its text has the place already
    places = [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] == root
    ]
    return f" ({places[-1]})" if places else ""


def hook_faults(manager: pluggy.PluginManager, plugin: object) -> list[str]:
    """Misspelt hooks, hooks without the marker, or none at all."""
    callers = manager.get_hookcallers(plugin) or []
    faults = [
        f"there is no hook '{caller.name}'{near(caller.name, HOOKS)} ({_place(each.function)})"
        for caller in callers
        if not caller.has_spec()
        for each in caller.get_hookimpls()
        if each.plugin is plugin
    ]
    for hook in HOOKS:
        function = getattr(plugin, hook, None)
        if inspect.isroutine(function) and not hasattr(function, "usmt_impl"):
            faults.append(f"{hook}() is not marked with @usmt.hookimpl ({_place(function)})")
    if not callers and not faults:
        faults.append(f"it implements no hook; the hooks are {', '.join(HOOKS)}")
    return faults


def classes_of(implementation: pluggy.HookImpl, base: type) -> list[Any]:
    """The classes that a hook gives. Raises `PluginError` unless all are sound ones of `base`."""
    answer = _list_of(implementation)
    for item in answer:
        if fault := _class_fault(item, base):
            raise PluginError(f"{_called(implementation)}: {fault}")
    return answer


def folders_of(implementation: pluggy.HookImpl) -> list[Path]:
    """The folders that a hook gives. Raises `PluginError` unless all exist."""
    answer = _list_of(implementation)
    for item in answer:
        if not isinstance(item, Path) or not item.is_dir():
            raise PluginError(f"{_called(implementation)}: {item!r} is not the Path of a folder")
    return answer


def _list_of(implementation: pluggy.HookImpl) -> list[Any]:
    answer = implementation.function()
    if not isinstance(answer, list):
        raise PluginError(f"{_called(implementation)}: a list was expected, not {answer!r}")
    return answer


def _class_fault(item: object, base: type) -> str | None:
    kind = f"usmt.{base.__name__}"
    if not isinstance(item, type) or not issubclass(item, base):
        return f"{item!r} is not a subclass of {kind}"
    name = getattr(item, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"{item.__name__}.name must be a word of letters, digits and _, not {name!r}"
    if missing := sorted(getattr(item, "__abstractmethods__", ())):
        return f"{item.__name__} does not define {', '.join(missing)} of {kind}"
    if base is TaskType and not isinstance(getattr(item, "primary", None), str):
        return f"{item.__name__}.primary must name a metric"
    if base is Dataset and not isinstance(getattr(item, "card", None), DatasetCard):
        return f"{item.__name__}.card must be a usmt.DatasetCard"
    for part, of in _PARTS[base].items():
        model = getattr(item, part, None)
        if not isinstance(model, type) or not issubclass(model, of):
            return f"{item.__name__}.{part} must be a subclass of usmt.{of.__name__}"
    return None


def _called(implementation: pluggy.HookImpl) -> str:
    function = implementation.function
    return f"{function.__name__}() at {_place(function)}"


def _place(function: Any) -> str:
    code = inspect.unwrap(function).__code__
    return f"{code.co_filename}:{code.co_firstlineno}"
