"""`usmt groups`: which tasks are trained together."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from usmt.cli.session import JsonOption, PluginsDirOption, SpecsOption, open_session
from usmt.cli.tasks import COLUMNS, summary
from usmt.specs import Catalogue


def register(app: typer.Typer) -> None:
    groups = typer.Typer(help="Look at the groups of tasks.", no_args_is_help=True)
    groups.command("list")(list_groups)
    groups.command("show")(show_group)
    app.add_typer(groups, name="groups")


def list_groups(
    specs: SpecsOption = None, plugins_dir: PluginsDirOption = None, json: JsonOption = False
) -> None:
    """All groups."""
    session = open_session(specs, plugins_dir, json)
    groups = [as_data(name, session.catalogue) for name in session.catalogue.groups]
    session.output.data(groups)
    session.output.table(
        "",
        ("id", "title", "tasks", "images", "plugin"),
        [(g["id"], g["title"], len(g["tasks"]), g["images"], g["plugin"]) for g in groups],
    )


def show_group(
    group: Annotated[str, typer.Argument(metavar="ID", help="Id of the group.")],
    specs: SpecsOption = None,
    plugins_dir: PluginsDirOption = None,
    json: JsonOption = False,
) -> None:
    """One group with its tasks."""
    session = open_session(specs, plugins_dir, json)
    tasks = session.catalogue.group_tasks(group)
    whole = as_data(group, session.catalogue)
    session.output.data(whole)
    session.output.text(f"{group}: {whole['title']} ({whole['file']})")
    if whole["published"]:
        told = ", ".join(f"{arm} {change:+g}" for arm, change in whole["published"].items())
        session.output.text(f"published mean change from ts: {told} (docs/reference/specs.md)")
    session.output.table("", COLUMNS, [list(summary(task, session).values()) for task in tasks])


def as_data(group: str, catalogue: Catalogue) -> dict[str, Any]:
    """What is told of a group; the keys are stable. Images are as published for the group, else
    the sum over its tasks, else None."""
    tasks = catalogue.group_tasks(group)
    spec = catalogue.groups[group]
    counts = [task.images for task in tasks]
    total = None if None in counts else sum(filter(None, counts))
    return {
        "id": group,
        "title": spec.title,
        "tasks": [task.id for task in tasks],
        "images": spec.images or total,
        "published": spec.published,
        "plugin": catalogue.group_givers[group],
        "file": catalogue.group_files[group],
    }
