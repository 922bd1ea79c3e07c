"""What can be wrong with a plugin as it is written, found when it is loaded."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from usmt import hookspecs
from usmt.backbone_family import BackboneFamily
from usmt.dataset import Dataset, DatasetCard, DatasetLayout, DatasetOptions
from usmt.errors import PluginError, near
from usmt.executor import Executor, ExecutorOptions
from usmt.plugin_faults import place_of
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
_NEARLY = 0.88
"""How alike two names are of which one is likely a slip: `decode_view`, not `decoded` for
`decoder`."""


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
    return [f"{hook}() takes {', '.join(extra)}, allowed: {known} ({place_of(function)})"]


def hook_faults(manager: pluggy.PluginManager, plugin: object) -> list[str]:
    """Misspelt hooks, hooks that are no marked functions, or none at all."""
    callers = manager.get_hookcallers(plugin) or []
    faults = [
        f"there is no hook '{caller.name}'{near(caller.name, HOOKS)} ({place_of(each.function)})"
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
            faults.append(f"{hook}() is not marked with @usmt.hookimpl ({place_of(function)})")
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
    if base is TaskType and not _is_told(result := getattr(item, "Result", None)):
        return f"{item.__name__}.Result must be a class, such as a dataclass, not {result!r}"
    if base is Dataset and not isinstance(getattr(item, "card", None), DatasetCard):
        return f"{item.__name__}.card must be a usmt.DatasetCard"
    for part, of in _PARTS[base].items():
        model = getattr(item, part, None)
        if not isinstance(model, type) or not issubclass(model, of):
            return f"{item.__name__}.{part} must be a subclass of usmt.{of.__name__}"
    return None


def _is_told(cls: Any) -> bool:
    """Whether isinstance can tell the objects of a class; not those of a TypedDict."""
    try:
        isinstance(None, cls)
    except TypeError:
        return False
    return isinstance(cls, type)


def method_remarks(cls: type, base: type) -> list[str]:
    """Names of a class that are nearly those of something optional in the contract, which the
    class then leaves as it is: nobody would ever ask for them."""
    declared = {name for each in base.__mro__ for name in inspect.get_annotations(each)}
    contract = {*dir(base), *declared}
    own = {name: part for each in _own(cls, base) for name, part in vars(each).items()}
    left = [name for name in dir(base) if name not in own and not name.startswith("_")]
    remarks = []
    for name in sorted(set(own) - contract):
        if name.startswith("_") or not (nearest := get_close_matches(name, left, 1, _NEARLY)):
            continue
        place = place_of(own[name]) or place_of(cls)
        remarks.append(
            f"{cls.__name__}.{name} is nothing that usmt asks for (did you mean "
            f"'{nearest[0]}'?){f' ({place})' if place else ''}"
        )
    return remarks


def _own(cls: type, base: type) -> list[type]:
    """The classes that a plugin wrote, the bases first."""
    return [each for each in reversed(cls.__mro__) if each not in base.__mro__]


def called(implementation: pluggy.HookImpl) -> str:
    """A hook as a plugin implements it, with its place."""
    function = implementation.function
    return f"{function.__name__}() at {place_of(function)}"


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
