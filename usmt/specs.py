"""The catalogue: every task and group that plugins and the user describe in YAML.

A folder of specs has `tasks/ID.yaml` and `groups/ID.yaml`. All files are read and all mistakes of
all files are reported at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, TypeVar

from usmt.dataset_calls import misfits
from usmt.errors import PluginError, SpecError, near
from usmt.mistakes import shown
from usmt.plugins import Plugins
from usmt.task_spec import GroupSpec, TaskSpec
from usmt.yaml_document import told
from usmt.yaml_file import Problem, YamlError, YamlFile, check, read_yaml, validate

USER = "user"
"""Who gives the folders of `--specs` and USMT_SPECS."""

Spec = TypeVar("Spec", TaskSpec, GroupSpec)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All tasks and groups.

    Attributes:
        tasks: by id, each as its task type's own spec.
        groups: by id.
        files, group_files: where each was written.
        givers, group_givers: the plugin that gives it, or `user`.
        unavailable: why a plugin's task cannot be used, by id: its task type is missing or broken.
        left_out: a line for each plugin that is not there whole: what is missing may be its.
        unavailable_datasets: the dataset that each unavailable task reads.
    """

    tasks: Mapping[str, TaskSpec]
    groups: Mapping[str, GroupSpec]
    files: Mapping[str, Path]
    group_files: Mapping[str, Path]
    givers: Mapping[str, str]
    group_givers: Mapping[str, str]
    unavailable: Mapping[str, str]
    left_out: Sequence[str] = ()
    unavailable_datasets: Mapping[str, str] = field(default_factory=dict)

    def task(self, name: str) -> TaskSpec:
        """The spec of a task. Raises SpecError with the near name, or why it cannot be used."""
        if name in self.unavailable:
            raise SpecError(f"the task '{name}' cannot be used: {self.unavailable[name]}")
        if name not in self.tasks:
            raise self._missing("task", name, self.tasks)
        return self.tasks[name]

    def task_ids(self, group: str) -> list[str]:
        """The ids of a group's tasks, in its order, those that cannot be used among them.

        Raises SpecError with the near name.
        """
        if group not in self.groups:
            raise self._missing("group", group, self.groups)
        listed = self.groups[group].tasks
        return [*self.tasks, *self.unavailable] if listed == "all" else listed

    def group_tasks(self, group: str) -> list[TaskSpec]:
        """The specs of a group's tasks, in its order. Raises SpecError, also when one of them
        cannot be used."""
        ids = self.task_ids(group)
        lacking: dict[str, list[str]] = {}
        for task in ids:
            if task in self.unavailable:
                lacking.setdefault(self.unavailable[task], []).append(task)
        if lacking:
            lines = [f"  {', '.join(tasks)}: {reason}" for reason, tasks in lacking.items()]
            raise SpecError(
                "\n".join([f"the group '{group}' has tasks that cannot be used:", *lines]),
                hint="See: usmt plugins list",
            )
        return [self.task(task) for task in ids]

    def _missing(self, kind: str, name: str, known: Iterable[str]) -> SpecError:
        lines = [f"there is no {kind} '{name}'{near(name, known)}", *self.left_out]
        return SpecError("\n".join(lines), hint=f"See: usmt {kind}s list")

    def groups_of(self, task: str) -> list[str]:
        """The ids of the groups that a task is in."""
        return [group for group in self.groups if task in self.task_ids(group)]


def load_catalogue(plugins: Plugins, spec_dirs: Sequence[Path] = ()) -> Catalogue:
    """Reads the spec folders of all plugins, of USMT_SPECS, and `spec_dirs`.

    Raises SpecError with every mistake of every file, as many as a screen holds.
    """
    reader = _Reader(plugins)
    for folder, giver in plugins.spec_dirs:
        reader.read_folder(folder, giver)
    for folder in user_spec_dirs(spec_dirs):
        reader.read_folder(folder, USER)
    reader.check_groups()
    if reader.problems:
        count = len(reader.problems)
        raise SpecError(
            told(reader.problems),
            hint=f"{count} mistake{'s' if count > 1 else ''} in specs. How to write them: "
            "docs/reference/specs.md",
        )
    return reader.catalogue()


def user_spec_dirs(spec_dirs: Sequence[Path] = ()) -> list[Path]:
    """The user's folders, absolute and each once: those of USMT_SPECS (separated as in PATH),
    then `spec_dirs`."""
    named = [Path(text) for text in os.environ.get("USMT_SPECS", "").split(os.pathsep) if text]
    folders = [folder.expanduser().resolve() for folder in [*named, *spec_dirs]]
    return list(dict.fromkeys(folders))


@dataclass(frozen=True, slots=True)
class _Read(Generic[Spec]):
    """A task or group, the file it was read from, and who gives the file."""

    spec: Spec
    file: YamlFile
    giver: str


class _Reader:
    """Collects specs and mistakes over all folders."""

    def __init__(self, plugins: Plugins) -> None:
        self.plugins = plugins
        self.problems: list[Problem | str] = []
        self.tasks: dict[str, _Read[TaskSpec]] = {}
        self.groups: dict[str, _Read[GroupSpec]] = {}
        self.unavailable: dict[str, str] = {}
        self.unavailable_datasets: dict[str, str] = {}
        self._folders: set[Path] = set()
        self._taken: dict[tuple[str, str], YamlFile] = {}
        self._group_files: list[YamlFile] = []
        self._faulty: set[str] = set()

    def read_folder(self, folder: Path, giver: str) -> None:
        if folder.resolve() in self._folders:
            return
        self._folders.add(folder.resolve())
        if not folder.is_dir():
            self.problems.append(f"{folder}: there is no such folder of specs")
            return
        tasks, groups = self._files(folder / "tasks"), self._files(folder / "groups")
        if not tasks and not groups:
            self.problems.append(
                f"{folder}: no specs in it, expected files tasks/ID.yaml or groups/ID.yaml"
            )
        for path in tasks:
            self._read_task(path, giver)
        for path in groups:
            self._read_group(path, giver)

    def check_groups(self) -> None:
        """Groups name tasks of any folder, so their tasks are looked up last."""
        known = {*self.tasks, *self.unavailable, *self._faulty}
        for file in self._group_files:
            listed = file.data.get("tasks")
            lines: dict[str, int] = {}
            for index, task in enumerate(listed if isinstance(listed, list) else []):
                if not isinstance(task, str) or not task.isidentifier():
                    continue  # reported as such
                if task not in known:
                    said = f"there is no task '{task}'{near(task, known)}"
                    message = "\n".join([said, *self.plugins.left_out()])
                    self.problems.append(file.problem(("tasks", index), message))
                if task in lines:
                    message = f"the task '{task}' is listed already, on line {lines[task]}"
                    self.problems.append(file.problem(("tasks", index), message))
                lines.setdefault(task, file.position(("tasks", index))[0])

    def catalogue(self) -> Catalogue:
        tasks, groups = sorted(self.tasks.items()), sorted(self.groups.items())
        return Catalogue(
            tasks={name: read.spec for name, read in tasks},
            groups={name: read.spec for name, read in groups},
            files={name: read.file.path for name, read in tasks},
            group_files={name: read.file.path for name, read in groups},
            givers={name: read.giver for name, read in tasks},
            group_givers={name: read.giver for name, read in groups},
            unavailable=self.unavailable,
            unavailable_datasets=self.unavailable_datasets,
            left_out=self.plugins.left_out(),
        )

    def _files(self, folder: Path) -> list[Path]:
        """The YAML files of a folder, which may not exist; hidden ones are an editor's."""
        try:
            found = [path for path in folder.iterdir() if not path.is_dir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            self.problems.append(f"{folder}: cannot be read: {error.strerror}")
            return []
        return sorted(
            path
            for path in found
            if path.suffix.lower() in (".yaml", ".yml") and path.name[0] != "."
        )

    def _open(self, path: Path) -> YamlFile | None:
        try:
            return read_yaml(path)
        except YamlError as error:
            self.problems += error.problems
            return None

    def _read_task(self, path: Path, giver: str) -> None:
        self._faulty.add(path.stem)
        file = self._open(path)
        if file is None:
            return
        problems = self._identity(file, "task")
        kind = file.data.get("type")
        try:
            model = self.plugins.task_type(kind).Spec if isinstance(kind, str) else None
            lacking = ""
        except PluginError as error:
            model, lacking = None, self._with_known_types(error)
        if model is not None:
            problems += check(model, file) or self._check_dataset(validate(model, file), file)
        else:
            problems += check(TaskSpec, file, _without_own_fields(file))
            if lacking and giver == USER and not any(each.key_path == "type" for each in problems):
                problems.append(file.problem(("type",), lacking))
        self.problems += problems
        if not problems:
            self._faulty.discard(path.stem)
            if model is None:
                self.unavailable[path.stem] = lacking
                self.unavailable_datasets[path.stem] = str(file.data["dataset"])
            else:
                self.tasks[path.stem] = _Read(validate(model, file), file, giver)

    def _check_dataset(self, spec: TaskSpec, file: YamlFile) -> list[Problem]:
        """What the dataset, if it is known, has against the spec of one of its tasks."""
        dataset = self.plugins.datasets.get(spec.dataset)
        if dataset is None:
            return []
        if problems := check(dataset.Layout, file, spec.layout, under=("layout",)):
            return problems
        return [_misfit(file, spec, misfit) for misfit in misfits(dataset, spec)]

    def _read_group(self, path: Path, giver: str) -> None:
        file = self._open(path)
        if file is None:
            return
        self._group_files.append(file)
        problems = [*self._identity(file, "group"), *check(GroupSpec, file)]
        self.problems += problems
        if not problems:
            self.groups[path.stem] = _Read(validate(GroupSpec, file), file, giver)

    def _identity(self, file: YamlFile, kind: Literal["task", "group"]) -> list[Problem]:
        """What is wrong with the id: not the file's name, or taken."""
        name, stem = file.data.get("id"), file.path.stem
        if isinstance(name, str) and name != stem:
            message = f"found {shown(name)}, expected '{stem}' as the file is named"
            return [file.problem(("id",), message)]
        other = self._taken.setdefault((kind, stem), file)
        if other is not file:
            line, column = other.position(("id",))
            message = f"the id '{stem}' is taken by {other.path}:{line}:{column}"
            return [file.problem(("id",), message)]
        return []

    def _with_known_types(self, error: PluginError) -> str:
        first, *plugins = error.message.split("\n")
        known = ", ".join(sorted(self.plugins.task_types)) or "none"
        return "\n".join([f"{first}, allowed: {known}", *plugins])


def _misfit(file: YamlFile, spec: TaskSpec, misfit: str) -> Problem:
    """Told at the key of the layout that it begins with, else at the whole of it."""
    key, _, reason = misfit.partition(": ")
    if key in spec.layout:
        return file.problem(("layout", key), reason)
    return file.problem(("layout",) if spec.layout else ("dataset",), misfit)


def _without_own_fields(file: YamlFile) -> dict[str, object]:
    """What the core can check of a task whose type is not known: its own fields, and keys that
    are likely to be misspelt names of those that are missing."""
    fields = TaskSpec.model_fields
    missing = [name for name in fields if name not in file.data]
    return {key: value for key, value in file.data.items() if key in fields or near(key, missing)}
