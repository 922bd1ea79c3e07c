"""`usmt backbones`: which networks there are to start from."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from usmt.backbone_family import BackboneCard, BackboneFamily
from usmt.cli.session import JsonOption, PluginsDirOption, Session, open_session
from usmt.errors import ConfigError, PluginError
from usmt.model.find_backbone import find_backbone
from usmt.plugin_faults import blamed

COLUMNS = ("name", "title", "parameters", "strides", "licence", "gated")


def register(app: typer.Typer) -> None:
    backbones = typer.Typer(help="Look at the backbones.", no_args_is_help=True)
    backbones.command("list")(list_backbones)
    backbones.command("show")(show_backbone)
    app.add_typer(backbones, name="backbones")


def list_backbones(
    family: Annotated[str | None, typer.Option(help="Only those of this family.")] = None,
    plugins_dir: PluginsDirOption = None,
    json: JsonOption = False,
) -> None:
    """The well-known backbones. A family may have many more: `usmt backbones show NAME`."""
    session = open_session(None, plugins_dir, json)
    plugins = session.plugins
    classes = plugins.backbones.values() if family is None else [plugins.backbone(family)]
    rows = []
    tables = {}
    for cls in classes:
        try:
            with blamed(f"the family {cls.name} failed", cls):
                made = cls()
                listed = [as_data(card, made, session) for card in made.cards()]
                tables[cls.name] = [[_brief(row)[name] for name in COLUMNS] for row in listed]
        except PluginError as error:  # the others are listed
            session.output.warning(error.message)
        else:
            rows += listed
    session.output.data(rows)
    for name, brief in tables.items():  # one each: names are long, and terminals narrow
        session.output.table(f"family {name}", COLUMNS, brief)


def show_backbone(
    name: Annotated[str, typer.Argument(help="As `backbone.name` has it: NAME or FAMILY:NAME.")],
    plugins_dir: PluginsDirOption = None,
    json: JsonOption = False,
) -> None:
    """All that is known of a backbone, listed or not: size, input, licence, how to get weights."""
    session = open_session(None, plugins_dir, json)
    family, own_name = find_backbone(session.plugins, name)
    with blamed(f"the family {family.name}, describing {own_name}", family):
        try:
            card = family.card(own_name)
        except KeyError:
            raise ConfigError(
                f"the family {family.name} cannot describe '{own_name}'",
                hint=f"What it is known for: usmt backbones list --family {family.name}",
            ) from None
        whole = as_data(card, family, session)
    session.output.data(whole)
    told = whole | {"strides": _brief(whole)["strides"]}
    session.output.table("", ("field", "value"), list(told.items()))


def as_data(card: BackboneCard, family: BackboneFamily, session: Session) -> dict[str, Any]:
    """What is told of a backbone; the keys are stable."""
    fields = asdict(card)
    plugin = session.plugins.provider("backbone", family.name).name
    return {"name": fields.pop("name"), "family": family.name, "plugin": plugin, **fields}


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    """A network's maps often have one stride; its parameters are told in millions or thousands."""
    strides = list(dict.fromkeys(row["strides"]))
    count = row["parameters"]
    parameters = f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count / 1e3:.0f} k"
    return {**row, "parameters": parameters, "strides": strides}
