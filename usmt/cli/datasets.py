"""`usmt datasets`: which datasets can be read, where they are had, and what they look like."""

from __future__ import annotations

from inspect import cleandoc
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from usmt.cli.session import JsonOption, PluginsDirOption, Session, SpecsOption, open_session
from usmt.dataset import DatasetLayout, DatasetOptions, RootOptions
from usmt.mistakes import wanted

COLUMNS = ("name", "title", "images", "licence", "tasks", "plugin")
TOLD = ("organ", "images", "home", "licence", "citation", "obtain", "sources", "splits")
"""What of a card is told in a row each."""


def register(app: typer.Typer) -> None:
    datasets = typer.Typer(help="Look at the datasets that can be read.", no_args_is_help=True)
    datasets.command("list")(list_datasets)
    datasets.command("show")(show_dataset)
    app.add_typer(datasets, name="datasets")


def list_datasets(
    specs: SpecsOption = None, plugins_dir: PluginsDirOption = None, json: JsonOption = False
) -> None:
    """All datasets."""
    session = open_session(specs, plugins_dir, json)
    datasets = [as_data(name, session) for name in sorted(session.plugins.datasets)]
    session.output.data(datasets)
    session.output.table(
        "",
        COLUMNS,
        [
            (d["name"], d["title"], d["images"], d["licence"], len(d["tasks"]), d["plugin"])
            for d in datasets
        ],
    )


def show_dataset(
    dataset: Annotated[str, typer.Argument(metavar="NAME", help="Name of the dataset.")],
    specs: SpecsOption = None,
    plugins_dir: PluginsDirOption = None,
    json: JsonOption = False,
) -> None:
    """One dataset: where it is had, how its files lie, and the tasks that read it."""
    session = open_session(specs, plugins_dir, json)
    whole = as_data(dataset, session)
    session.output.data(whole)
    rows = [(key, whole[key]) for key in (*TOLD, "groups", "tasks", "plugin") if whole[key]]
    session.output.text(f"{dataset}: {whole['title']}")
    session.output.table("", ("field", "value"), rows)
    if whole["files"]:
        session.output.text(f"\nFiles\n{whole['files']}")
    cls = session.plugins.dataset(dataset)
    _tell_keys("Options", f"data.{dataset}.KEY", cls.Options, session)
    _tell_keys("Layout", "KEY under `layout` in a task's spec", cls.Layout, session)


def as_data(name: str, session: Session) -> dict[str, Any]:
    """What is told of a dataset; the keys are stable. Raises `PluginError` for one that no plugin
    gives."""
    cls, catalogue = session.plugins.dataset(name), session.catalogue
    card = cls.card
    tasks = [task for task, spec in catalogue.tasks.items() if spec.dataset == name]
    return {
        "name": name,
        "title": card.title,
        **{key: getattr(card, key) for key in TOLD},
        "files": card.files,
        "synthetic": cls.synthetic,
        "tasks": tasks,
        "groups": sorted({group for task in tasks for group in catalogue.groups_of(task)}),
        "options": _keys(cls.Options),
        "layout": _keys(cls.Layout),
        "plugin": session.plugins.provider("dataset", name).name,
    }


def _keys(model: type[BaseModel]) -> list[dict[str, Any]]:
    return [
        {
            "key": key,
            "type": wanted(field.annotation) or "see the meaning",
            "required": field.is_required(),
            "default": _default(field),
            "meaning": field.description or "",
        }
        for key, field in model.model_fields.items()
    ]


def _default(field: FieldInfo) -> Any:
    return None if field.is_required() else field.get_default(call_default_factory=True)


def _tell_keys(title: str, where: str, model: type[BaseModel], session: Session) -> None:
    keys = _keys(model)
    if not keys:
        return
    session.output.text(f"\n{title}: {where}")
    if model not in (DatasetOptions, RootOptions, DatasetLayout) and model.__doc__:
        session.output.text(cleandoc(model.__doc__))
    columns = ("key", "type", "default", "meaning")
    rows = [
        (k["key"], k["type"], "required" if k["required"] else k["default"], k["meaning"])
        for k in keys
    ]
    session.output.table("", columns, rows)
