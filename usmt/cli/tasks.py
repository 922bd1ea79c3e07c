"""`usmt tasks`: which prediction problems are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from usmt.cli.session import JsonOption, PluginsDirOption, Session, SpecsOption, open_session
from usmt.errors import UsmtError, near
from usmt.task_spec import TaskSpec

COLUMNS = ("id", "type", "organ", "dataset", "images", "groups", "plugin")


def register(app: typer.Typer) -> None:
    tasks = typer.Typer(help="Look at the tasks.", no_args_is_help=True)
    tasks.command("list")(list_tasks)
    tasks.command("show")(show_task)
    app.add_typer(tasks, name="tasks")


def list_tasks(
    type_: Annotated[str | None, typer.Option("--type", help="Only tasks of this type.")] = None,
    organ: Annotated[str | None, typer.Option(help="Only tasks of this organ.")] = None,
    group: Annotated[str | None, typer.Option(help="Only tasks of this group.")] = None,
    specs: SpecsOption = None,
    plugins_dir: PluginsDirOption = None,
    json: JsonOption = False,
) -> None:
    """All tasks, or those of a type, an organ, a group."""
    session = open_session(specs, plugins_dir, json)
    catalogue = session.catalogue
    known = list(catalogue.tasks.values())
    tasks = catalogue.group_tasks(group) if group is not None else known
    if type_ is not None:
        session.plugins.task_type(type_)
        tasks = [spec for spec in tasks if spec.type == type_]
    if organ is not None:
        _check_organ(organ, {spec.organ for spec in known})
        tasks = [spec for spec in tasks if spec.organ == organ]
    rows = [summary(spec, session) for spec in tasks]
    session.output.data(rows)
    session.output.table("", COLUMNS, [list(row.values()) for row in rows])
    for task, reason in catalogue.unavailable.items():
        session.output.warning(f"task {task} is left out: {reason}")


def show_task(
    task: Annotated[str, typer.Argument(metavar="ID", help="Id of the task.")],
    specs: SpecsOption = None,
    plugins_dir: PluginsDirOption = None,
    json: JsonOption = False,
) -> None:
    """One task with all its fields."""
    session = open_session(specs, plugins_dir, json)
    catalogue = session.catalogue
    spec = catalogue.task(task)
    whole = {**summary(spec, session), **spec.model_dump(), "file": catalogue.files[task]}
    session.output.data(whole)
    session.output.table("", ("field", "value"), _rows(whole))


def summary(spec: TaskSpec, session: Session) -> dict[str, Any]:
    """What is told of a task in a list; the keys are stable."""
    return {
        "id": spec.id,
        "type": spec.type,
        "organ": spec.organ,
        "dataset": spec.dataset,
        "images": spec.images,
        "groups": session.catalogue.groups_of(spec.id),
        "plugin": session.plugins.provider("task_type", spec.type).name,
    }


def _rows(fields: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """A row for each field, and for each entry of a field that is a mapping."""
    rows: list[tuple[str, Any]] = []
    for name, value in fields.items():
        if isinstance(value, Mapping) and value:
            rows += [(f"{name}.{key}", entry) for key, entry in value.items()]
        else:
            rows.append((name, value))
    return rows


def _check_organ(name: str, known: Iterable[str]) -> None:
    names = sorted(known)
    if name not in names:
        raise UsmtError(
            f"there is no organ '{name}'{near(name, names)}",
            hint=f"The organs that there are: {', '.join(names) or 'none'}",
        )
