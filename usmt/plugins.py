"""Finding plugins, and keeping a broken one from harming the rest.

Plugins are the entry points of group `usmt` and the loose modules of `--plugins-dir`. Each is
loaded and asked by itself, so that it is known who gives what. What goes wrong is recorded with
the plugin (`usmt plugins list`) and raised only when something that may be its is needed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from usmt import hookspecs
from usmt.backbone_family import BackboneFamily
from usmt.dataset import Dataset
from usmt.errors import PluginError, near
from usmt.executor import Executor
from usmt.loose_plugins import existing_folders, import_loose, loose_modules
from usmt.mistakes import shown
from usmt.plugin_checks import (
    called,
    classes_of,
    folders_of,
    hook_faults,
    method_remarks,
    refuse,
    stated_version_fault,
)
from usmt.plugin_faults import class_place, contained, innermost
from usmt.plugin_info import KINDS, Kind, PluginInfo
from usmt.task_type import TaskType

if TYPE_CHECKING:
    import typer

T = TypeVar("T")


class Provided(dict[str, T]):
    """What plugins give, by name. Asking for a name that is missing raises `PluginError`."""

    def __init__(self, explain: Callable[[str], PluginError]) -> None:
        super().__init__()
        self._explain = explain

    def __missing__(self, name: str) -> T:
        raise self._explain(name)


class Plugins:
    """All plugins that were found.

    Attributes:
        task_types, datasets, backbones, executors: the classes by name, without the names that
            two plugins give.
        spec_dirs: each folder with the name of the plugin that gives it.
        loaded: every plugin, the failed and the disabled among them.
        warnings: what the user should be told about the discovery itself.
        dirs: the folders of loose plugins.
        gone: folders of loose plugins that a run was trained with, and that are not there.
    """

    def __init__(self, dirs: Sequence[Path] = ()) -> None:
        self.dirs = tuple(dirs)
        self.gone: list[Path] = []
        self.task_types = Provided[type[TaskType]](partial(self._missing, "task_type"))
        self.datasets = Provided[type[Dataset]](partial(self._missing, "dataset"))
        self.backbones = Provided[type[BackboneFamily]](partial(self._missing, "backbone"))
        self.executors = Provided[type[Executor]](partial(self._missing, "executor"))
        self.spec_dirs: list[tuple[Path, str]] = []
        self.loaded: list[PluginInfo] = []
        self.warnings: list[str] = []
        self._manager = pluggy.PluginManager("usmt")
        self._manager.add_hookspecs(hookspecs)
        self._at_work: list[tuple[PluginInfo, object, str]] = []
        self._givers: dict[tuple[Kind, str], list[tuple[PluginInfo, type]]] = {}
        self._tables: dict[Kind, Provided[Any]] = {
            "task_type": self.task_types,
            "dataset": self.datasets,
            "backbone": self.backbones,
            "executor": self.executors,
        }

    def task_type(self, name: str) -> type[TaskType]:
        """Raises `PluginError` when no plugin gives it, or two do."""
        return self.task_types[name]

    def dataset(self, name: str) -> type[Dataset]:
        """Raises `PluginError` when no plugin gives it, or two do."""
        return self.datasets[name]

    def backbone(self, name: str) -> type[BackboneFamily]:
        """The family of this name. Raises `PluginError` when no plugin gives it, or two do."""
        return self.backbones[name]

    def executor(self, name: str) -> type[Executor]:
        """Raises `PluginError` when no plugin gives it, or two do."""
        return self.executors[name]

    def provider(self, kind: Kind, name: str) -> PluginInfo:
        """The plugin that gives the class of this kind and name. Raises `PluginError`."""
        givers = self._givers.get((kind, name), [])
        if len(givers) != 1:
            raise self._missing(kind, name)
        return givers[0][0]

    def left_out(self) -> list[str]:
        """A line for each plugin that failed or is disabled, and for each folder of plugins that
        is gone: what is missing may be its."""
        why = {"failed": "failed: {0.error}", "disabled": "is disabled by USMT_DISABLE_PLUGINS"}
        lines = [
            f"  plugin {info} {why[info.status].format(info)}"
            for info in self.loaded
            if info.status in why
        ]
        return lines + [
            f"  the folder of plugins {folder}, which the run was trained with, is not there: name "
            "its new place with --plugins-dir DIR (in Python: plugins=load_plugins([DIR]))"
            for folder in self.gone
        ]

    def at_fault(self, error: Exception) -> tuple[PluginInfo, str] | None:
        """The plugin in whose code an error was raised, with `file:line`; None for one that was
        raised in usmt's own."""
        own = {root: info for info, _, root in self._at_work if info.distribution != "usmt"}
        root, place = innermost(error, {*own, "usmt"})
        return (own[root], place) if root in own else None

    def add(self, info: PluginInfo, root: str, load: Callable[[], object]) -> None:
        """Loads one plugin and takes what it gives. `root` is its top-level module."""
        same = next((other for other in self.loaded if other.name == info.name), None)
        self.loaded.append(info)
        if info.disabled:
            return
        if same:
            info.errors.append(f"a plugin of this name is there already: {same}")
            return
        plugin: object = None
        with contained(info.errors, root):
            plugin = load()
            refuse(plugin)
            self._manager.register(plugin, info.name)
            self._at_work.append((info, plugin, root))
        if not self._manager.has_plugin(info.name):
            if plugin is None and (fault := stated_version_fault(root)):
                info.errors.append(fault)
            return
        with contained(info.errors, root):
            info.errors += hook_faults(self._manager, plugin)
        for kind, base in KINDS.items():
            with contained(info.errors, root):
                for each in self._implementations(f"usmt_{kind}s", plugin):
                    for cls in classes_of(each, base):
                        info.given[kind].append(cls.name)
                        info.remarks += method_remarks(cls, base)
                        self._give(kind, info, cls)
        with contained(info.errors, root):
            for each in self._implementations("usmt_spec_dirs", plugin):
                info.spec_dirs += folders_of(each)
            self.spec_dirs += [(folder, info.name) for folder in info.spec_dirs]

    def add_commands(self, app: typer.Typer) -> None:
        """Lets every plugin add commands to the command line; a clash is the plugin's error."""
        from typer import Typer
        from typer.main import get_group

        taken = dict.fromkeys(get_group(app).commands, "usmt")
        for info, plugin, root in self._at_work:
            own = Typer()
            with contained(info.errors, root):
                for each in self._implementations("usmt_commands", plugin):
                    each.function(own) if each.argnames else each.function()
                    for name in get_group(own).commands:
                        if name in taken:
                            raise PluginError(
                                f"{called(each)}: the command '{name}' is given by {taken[name]} "
                                "too"
                            )
                names = list(get_group(own).commands)
                app.registered_commands += own.registered_commands
                app.registered_groups += own.registered_groups
                taken |= dict.fromkeys(names, str(info))
                info.commands = names

    def _implementations(self, hook: str, plugin: object) -> list[pluggy.HookImpl]:
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        return [each for each in caller.get_hookimpls() if each.plugin is plugin]

    def _give(self, kind: Kind, info: PluginInfo, cls: Any) -> None:
        givers = self._givers.setdefault((kind, cls.name), [])
        givers.append((info, cls))
        if len(givers) == 1:
            self._tables[kind][cls.name] = cls
            return
        self._tables[kind].pop(cls.name, None)
        for giver in {id(info): info for info, _ in givers}.values():
            giver.errors.append(self._clash(kind, cls.name))

    def _clash(self, kind: Kind, name: str) -> str:
        givers = [f"{info}{class_place(cls)}" for info, cls in self._givers[kind, name]]
        return f"the {words(kind)} '{name}' is given by {' and '.join(givers)}"

    def _missing(self, kind: Kind, name: str) -> PluginError:
        givers = self._givers.get((kind, name), [])
        if len(givers) > 1:
            return PluginError(
                self._clash(kind, name),
                hint=f"Leave one of them out, e.g. USMT_DISABLE_PLUGINS={givers[-1][0].name}",
            )
        known = self._tables[kind]
        lines = [f"no plugin gives the {words(kind)} {shown(name)}{near(name, known)}"]
        lines += self.left_out()
        there = ", ".join(sorted(known)) or "none"
        return PluginError("\n".join(lines), hint=f"Those that there are: {there}")


def words(kind: Kind) -> str:
    """As people read it: `task type`."""
    return "family of backbones" if kind == "backbone" else kind.replace("_", " ")


def load_plugins(plugins_dirs: Sequence[Path] = ()) -> Plugins:
    """Finds and loads all plugins but those of `USMT_DISABLE_PLUGINS` (names with commas, or `*`).

    Args:
        plugins_dirs: folders of loose plugins, `*.py` files or packages, added to those of
            `USMT_PLUGINS_DIR`. They are imported, whatever is in them; names that start with `_`
            or `.`, tests, `setup.py`, `conftest.py` and `noxfile.py` are left alone.

    Raises:
        PluginError: one of the folders does not exist.
    """
    from_environment = os.environ.get("USMT_PLUGINS_DIR", "").split(os.pathsep)
    plugins = Plugins(existing_folders([*filter(None, from_environment), *plugins_dirs]))
    listed = os.environ.get("USMT_DISABLE_PLUGINS", "").split(",")
    disabled = {word.strip() for word in listed} - {""}

    def is_disabled(name: str) -> bool:
        return name in disabled or "*" in disabled

    for point in sorted(entry_points(group="usmt"), key=lambda point: point.name):
        dist = point.dist
        name, version = (dist.name, dist.version) if dist else ("unknown distribution", None)
        info = PluginInfo(point.name, name, version, is_disabled(point.name))
        plugins.add(info, re.split("[.:]", point.value)[0], point.load)
    for folder in plugins.dirs:
        for path in loose_modules(folder):
            info = PluginInfo(path.stem, str(path), None, is_disabled(path.stem))
            plugins.add(info, path.stem, partial(import_loose, path))
    known = {info.name for info in plugins.loaded}
    for name in sorted(disabled - known - {"*"}):
        plugins.warnings.append(
            f"USMT_DISABLE_PLUGINS: there is no plugin '{name}'{near(name, known)}"
        )
    return plugins


def load_plugins_of_run(plugins_dirs: Sequence[Path]) -> Plugins:
    """As `load_plugins`, with the folders that a run was trained with, some of which may be gone:
    whether one held a plugin that is needed is known when it is asked for."""
    plugins = load_plugins([folder for folder in plugins_dirs if folder.is_dir()])
    plugins.gone = [folder for folder in plugins_dirs if not folder.is_dir()]
    return plugins
