"""Writes docs/reference/fields.md: what may stand in the YAML files, from the models that check
them; with --check, only compares.

python docs/write_fields.py
"""

from __future__ import annotations

from collections.abc import Iterator

from model_fields import fields
from pydantic import BaseModel
from written_page import REFERENCE, table, write

from usmt import GroupSpec, RootOptions, TaskSpec, load_plugins
from usmt.study.spec import StudySpec

HEAD = """# Fields of the YAML files

What may stand in a task, a group and a study, and the options of what plugins give: those that usmt
comes with. Anything else is a mistake, told with its line and column. What the fields are for:
[tasks and groups](specs.md), [studies](../how_to/study.md), [settings of a run](settings.md). A
dataset without options below has the one option `root`, which `--data NAME=ROOT` sets.
"""


def page() -> str:
    return "\n".join([HEAD, *_sections()])


def _sections() -> Iterator[str]:
    plugins = load_plugins()
    yield from _section("A task", "`tasks/ID.yaml`. Every task has", TaskSpec)
    common = set(TaskSpec.model_fields)
    for name, cls in sorted(plugins.task_types.items()):
        yield from _section(
            f"Task of type {name}", "Beside the fields of every task:", cls.Spec, common
        )
    for name, dataset in sorted(plugins.datasets.items()):
        if dataset.Layout.model_fields:
            said = f"`layout` of a task with `dataset: {name}`:"
            yield from _section(f"Layout for {name}", said, dataset.Layout)
    yield from _section("A group", "`groups/ID.yaml`:", GroupSpec)
    said = "The file of `usmt study run FILE`; `settings` are [those of a run](settings.md):"
    yield from _section("A study", said, StudySpec, whole=("settings",))
    tables = {
        "task type": ("task_types.{}.KEY", plugins.task_types),
        "dataset": ("data.{}.KEY", plugins.datasets),
    }
    for kind, (key, classes) in tables.items():
        for name, cls in sorted(classes.items()):
            if cls.Options is RootOptions:
                continue
            said = f"`--set {key.format(name)}=VALUE`:"
            yield from _section(f"Options of the {kind} {name}", said, cls.Options)
    for name, executor in sorted(plugins.executors.items()):
        said = "`--executor-set KEY=VALUE`:"
        yield from _section(f"Options of the executor {name}", said, executor.Options)


def _section(
    title: str,
    said: str,
    model: type[BaseModel],
    without: set[str] = frozenset(),
    whole: tuple[str, ...] = (),
) -> Iterator[str]:
    rows = [
        (f"`{key}`", meaning, default)
        for key, meaning, default in fields(model, whole)
        if key not in without
    ]
    if rows:
        yield f"## {title}\n\n{said}\n"
        yield table(["field", "value", "default"], rows)


if __name__ == "__main__":
    write(REFERENCE / "fields.md", page())
