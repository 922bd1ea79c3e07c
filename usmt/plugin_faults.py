"""What can be wrong with a plugin, found before it does harm, and said with file and line."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any

import pluggy

from usmt import hookspecs
from usmt.backbone_family import BackboneFamily
from usmt.dataset import Dataset, DatasetCard, DatasetLayout, DatasetOptions
from usmt.errors import PluginError, UsmtError, near
from usmt.executor import Executor, ExecutorOptions
from usmt.task_spec import TaskSpec
from usmt.task_type import TaskType, TaskTypeOptions

HOOKS = [name for name in vars(hookspecs) if name.startswith("usmt_")]
VERSION = "USMT_API"
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
    Ctrl-C goes through; an exit does not. Folders that are taken out of `sys.path` are put back.
    """
    path, folders = sys.path, list(sys.path)
    try:
        with redirect_stdout(sys.stderr):
            yield
    except PluginError as error:
        errors.append(str(error))
    except (Exception, SystemExit) as error:
        errors.append(f"{type(error).__name__}: {error}{_raised_at(error, root)}")
    finally:
        if lost := [folder for folder in folders if folder not in sys.path]:
            errors.append(
                f"it takes {len(lost)} folder{'s' * (len(lost) > 1)} out of sys.path, which usmt "
                f"has put back{_file_of(root)}"
            )
            path[:] = [*(folder for folder in sys.path if folder not in folders), *folders]
            sys.path = path


def _file_of(root: str) -> str:
    file = getattr(sys.modules.get(root), "__file__", None)
    return f" ({file})" if file else ""


@contextmanager
def blamed(what: str, of: object) -> Iterator[None]:
    """Runs a plugin's code in the middle of a command: what it raises, but for errors that are
    made for people, becomes a `PluginError` with the plugin's line.

    Args:
        what: was being done, for the message: `the family timm, building vit_tiny`.
        of: the plugin's object, class or function whose code is run.
    """
    try:
        yield
    except UsmtError:
        raise
    except Exception as error:  # whatever a plugin's code may raise
        place = _raised_at(error, str(getattr(of, "__module__", "")).partition(".")[0])
        raise PluginError(
            f"{what}: {type(error).__name__}: {error}{place}",
            hint="This is a fault of the plugin that gives it; see: usmt plugins list",
        ) from error


def _raised_at(error: BaseException, root: str) -> str:
    if isinstance(error, SyntaxError):
        return ""  # its text has the place already
    places = [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] == root
    ]
    return f" ({places[-1]})" if places else ""


def refuse(plugin: object) -> None:
    """Raises `PluginError` for a plugin of which nothing can be used: it is written for another
    version of the interface, or a hook takes what usmt does not give."""
    is_module = isinstance(plugin, ModuleType)
    module = plugin if is_module else sys.modules.get(getattr(plugin, "__module__", ""))
    stated = getattr(plugin, VERSION, getattr(module, VERSION, hookspecs.API_VERSION))
    if fault := _version_fault(stated, _line_of(getattr(module, "__file__", None), VERSION)):
        raise PluginError(fault)
    if faults := [fault for hook in HOOKS for fault in _argument_faults(plugin, hook)]:
        raise PluginError("\n".join(faults))


def stated_version_fault(root: str) -> str | None:
    """Whether a plugin that cannot be imported is written for another version, by the text of its
    top-level module: perhaps that is why."""
    try:
        spec = find_spec(root)
        file = (spec and spec.origin) or ""
        tree = ast.parse(Path(file).read_bytes())
    except (ImportError, OSError, SyntaxError, ValueError):
        return None
    for statement in tree.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id="USMT_API")], value=ast.Constant(value=stated))
                | ast.AnnAssign(target=ast.Name(id="USMT_API"), value=ast.Constant(value=stated))
            ):
                return _version_fault(stated, f" ({file}:{statement.lineno})")
    return None


def _version_fault(stated: object, place: str) -> str | None:
    ours = hookspecs.API_VERSION
    if type(stated) is not int:
        return f"{VERSION} must be a whole number, such as {ours}, not {stated!r}{place}"
    if stated == ours:
        return None
    do = (
        "install a newer usmt, or an older version of the plugin"
        if stated > ours
        else "install a newer version of the plugin, or an older usmt"
    )
    return (
        f"it is written for version {stated} of usmt's plugin interface, this usmt has version "
        f"{ours}: {do}{place}"
    )


def _argument_faults(plugin: object, hook: str) -> list[str]:
    function = getattr(plugin, hook, None)
    if not inspect.isroutine(function) or not hasattr(function, "usmt_impl"):
        return []
    given = inspect.signature(getattr(hookspecs, hook)).parameters
    extra = [name for name in inspect.signature(function).parameters if name not in given]
    if not extra:
        return []
    known = ", ".join(given) or "it gives none"
    return [f"{hook}() takes {', '.join(extra)}, allowed: {known} ({_place(function)})"]


def hook_faults(manager: pluggy.PluginManager, plugin: object) -> list[str]:
    """Misspelt hooks, hooks that are no marked functions, or none at all."""
    callers = manager.get_hookcallers(plugin) or []
    faults = [
        f"there is no hook '{caller.name}'{near(caller.name, HOOKS)} ({_place(each.function)})"
        for caller in callers
        if not caller.has_spec()
        for each in caller.get_hookimpls()
        if each.plugin is plugin
    ]
    file = getattr(plugin, "__file__", None)
    for hook in HOOKS:
        function = getattr(plugin, hook, None)
        if function is not None and not inspect.isroutine(function):
            kind = "class" if isinstance(function, type) else type(function).__name__
            expected = "a function marked with @usmt.hookimpl"
            faults.append(f"{hook} is a {kind}, expected {expected}{_line_of(file, hook)}")
        elif function is not None and not hasattr(function, "usmt_impl"):
            faults.append(f"{hook}() is not marked with @usmt.hookimpl ({_place(function)})")
    if not callers and not faults:
        place = f" ({file})" if file else ""
        faults.append(f"it implements no hook; the hooks are {', '.join(HOOKS)}{place}")
    return faults


def classes_of(implementation: pluggy.HookImpl, base: type) -> list[Any]:
    """The classes that a hook gives. Raises `PluginError` unless all are sound ones of `base`."""
    answer = _list_of(implementation)
    for item in answer:
        if fault := _class_fault(item, base):
            raise PluginError(f"{called(implementation)}: {fault}")
    return answer


def folders_of(implementation: pluggy.HookImpl) -> list[Path]:
    """The folders that a hook gives. Raises `PluginError` unless all exist."""
    answer = _list_of(implementation)
    for item in answer:
        if not isinstance(item, Path) or not item.is_dir():
            raise PluginError(f"{called(implementation)}: {item!r} is not the Path of a folder")
    return answer


def _list_of(implementation: pluggy.HookImpl) -> list[Any]:
    answer = implementation.function()
    if not isinstance(answer, list):
        raise PluginError(f"{called(implementation)}: a list was expected, not {answer!r}")
    return answer


def _class_fault(item: object, base: type) -> str | None:
    kind = f"usmt.{base.__name__}"
    if isinstance(item, base):
        cls = type(item).__name__
        return f"an object of {cls} was given, expected the class itself: {cls}, not {cls}(...)"
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


def class_place(cls: type) -> str:
    """` (file:line)` of a class; nothing where its source cannot be read."""
    try:
        return f" ({inspect.getsourcefile(cls)}:{inspect.getsourcelines(cls)[1]})"
    except (OSError, TypeError):
        return ""


def called(implementation: pluggy.HookImpl) -> str:
    """A hook as a plugin implements it, with its place."""
    function = implementation.function
    return f"{function.__name__}() at {_place(function)}"


def _place(function: Any) -> str:
    code = inspect.unwrap(function).__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def _line_of(file: str | None, name: str) -> str:
    """` (file:line)` of the first line that binds a name; less where it is not found."""
    try:
        lines = Path(file or "").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return f" ({file})" if file else ""
    binds = re.compile(rf"(class\s+|from\s.*\bimport\s.*)?\b{name}\b")
    for number, line in enumerate(lines, 1):
        if binds.match(line):
            return f" ({file}:{number})"
    return f" ({file})"
