"""What a study is told on the command line, and the keys of its file that it stands for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from usmt.errors import ConfigError

StudyArgument = Annotated[
    Path | None, typer.Argument(metavar="[STUDY]", help="YAML file of a study, or its folder.")
]
FolderArgument = Annotated[
    Path, typer.Argument(metavar="STUDY", help="Folder of a study, or the YAML file it came from.")
]
OutOption = Annotated[Path | None, typer.Option(help="Folder of the study; default: studies/NAME.")]
GroupsOption = Annotated[
    str | None, typer.Option(metavar="G,...", help="Groups that are compared.")
]
TasksOption = Annotated[
    str | None, typer.Option(metavar="T,...", help="Tasks that are compared besides.")
]
ParadigmsOption = Annotated[
    str | None, typer.Option(metavar="P,...", help="Arms: ts, cg, au, or a group's id.")
]
AllOption = Annotated[
    str | None, typer.Option("--all", metavar="GROUP", help="The group that au trains; all.")
]
MoEOption = Annotated[
    str | None, typer.Option(metavar="paper|both", help="both: each arm with and without experts.")
]
SeedsOption = Annotated[str | None, typer.Option(metavar="N,...", help="Seeds; 0,1,2.")]
FactorsOption = Annotated[
    str | None,
    typer.Option(metavar="F,...", help="Learning-rate factors, one chosen on validation; 1."),
]
FractionsOption = Annotated[
    str | None, typer.Option(metavar="F,...", help="Shares of the training images; 1.")
]
BudgetOption = Annotated[
    str | None,
    typer.Option(metavar="KIND=N", help="epochs=N, steps=N, or images=N (of each task)."),
]
PresetOption = Annotated[
    str | None, typer.Option(help="small (default) or paper: where the settings start.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One setting of all runs."),
]
DataOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME[=ROOT]", help="Dataset and its folder; may be repeated."),
]
JobsOption = Annotated[int, typer.Option(min=1, help="Runs at a time, each in its own process.")]


def asked_keys(
    groups: str | None,
    tasks: str | None,
    paradigms: str | None,
    all_: str | None,
    moe: str | None,
    seeds: str | None,
    factors: str | None,
    fractions: str | None,
    budget: str | None,
    preset: str | None,
) -> dict[str, Any]:
    """The options as a study's keys; those that were not given are left out."""
    rates = _listed("factors", factors, float)
    values: dict[str, Any] = {
        "groups": _listed("groups", groups, str),
        "tasks": _listed("tasks", tasks, str),
        "paradigms": _listed("paradigms", paradigms, str),
        "all": all_,
        "moe": moe,
        "seeds": _listed("seeds", seeds, int),
        "learning_rate": {"factors": rates} if rates is not None else None,
        "fractions": _listed("fractions", fractions, float),
        "budget": _budget(budget) if budget is not None else None,
        "preset": preset,
    }
    return {key: value for key, value in values.items() if value is not None}


def _listed(name: str, text: str | None, kind: Callable[[str], Any]) -> list[Any] | None:
    if text is None:
        return None
    try:
        return [kind(part.strip()) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"--{name} {text}: expected numbers with commas between", hint="e.g. 0,1,2"
        ) from None


def _budget(text: str) -> dict[str, int]:
    kind, _, amount = text.partition("=")
    if not amount.isdecimal():
        raise ConfigError(f"--budget {text}: expected KIND=N", hint="e.g. --budget steps=2000")
    return {kind: int(amount)}
