"""`usmt evaluate`: scores of a run on a side of its split, or on other data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from usmt.cli.session import JsonOption, PluginsDirOption, SpecsOption, open_run_session
from usmt.cli.train import parse_data


def register(app: typer.Typer) -> None:
    app.command("evaluate")(evaluate)


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    split: Annotated[
        Literal["val", "test"], typer.Option(help="Side of the frozen split.")
    ] = "test",
    task: Annotated[
        list[str] | None, typer.Option(help="Score only this task; may be repeated.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=ROOT", help="Other data than the run's own; new images are test."
        ),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out the records that have defects.")
    ] = False,
    specs: SpecsOption = None,
    plugins_dir: PluginsDirOption = None,
    json: JsonOption = False,
) -> None:
    """Score a run's best weights, each image at its original resolution."""
    from usmt.train.finished import evaluate_run
    from usmt.train.run_folder import RunFolder

    session = open_run_session(RunFolder(run).settings(), specs, plugins_dir, json)
    bindings = parse_data(data or [])
    evaluate_run(
        *(run, split, bindings, task or [], session.catalogue, session.plugins, session.output),
        skip_bad=skip_bad,
    )
