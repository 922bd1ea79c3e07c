"""`usmt train`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from usmt.cli.session import (
    JsonOption,
    PluginsDirOption,
    SpecsOption,
    open_run_session,
    open_session,
)
from usmt.errors import ConfigError, near
from usmt.specs import user_spec_dirs


def register(app: typer.Typer) -> None:
    app.command("train")(train)


def train(
    group: Annotated[str | None, typer.Option(help="Train all tasks of this group.")] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="Train this task; give it several times.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=ROOT]",
            help="Dataset and its folder; several times for several. Without it: synthetic images.",
        ),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="small (default) or paper: where the settings start.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with settings, laid over the preset.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting, e.g. optimizer.clip=1.0."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; default: runs/GROUP-TIME.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of weights, sampling, augmentation.")
    ] = None,
    moe: Annotated[
        str | None,
        typer.Option(metavar="on|off|auto", help="Mixture of experts; auto: on for several tasks."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check data and settings, print the audit, stop.")
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with a run that was stopped.")
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Train without the records that have defects.")
    ] = False,
    split: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FILE",
            help="Use this split, a file of `usmt data split`; NAME is the dataset, of several.",
        ),
    ] = None,
    specs: SpecsOption = None,
    plugins_dir: PluginsDirOption = None,
    json: JsonOption = False,
) -> None:
    """Train one network for a group of tasks, and score it."""
    options: dict[str, Any] = {
        "group": group,
        "tasks": task,
        "data": parse_data(data or []) or None,
        "seed": seed,
        "moe": {"enabled": moe} if moe else None,
        "skip_bad": True if skip_bad else None,
        "specs": [str(path.resolve()) for path in specs or []] or None,
        "plugins_dirs": [str(path.resolve()) for path in plugins_dir or []] or None,
    }
    given = {key: value for key, value in options.items() if value is not None}
    from usmt.data.collection import default_data
    from usmt.train import run
    from usmt.train.load_settings import load_settings
    from usmt.train.run_folder import RunFolder

    if resume is not None:
        others = {"preset": preset, "config": config, "out": out, "dry_run": dry_run, "set_": set_}
        _check_alone(given, split=split, **others)
        session = open_run_session(RunFolder(resume).settings(), specs, plugins_dir, json)
        run.resume(resume, session.catalogue, session.plugins, session.output)
        return
    settings = load_settings(preset or "small", config, given, set_ or [])
    session = open_session(settings.specs, settings.plugins_dirs, json)
    if split:
        datasets = list(settings.data or default_data(session.plugins))
        settings = settings.with_split_files(_parse_splits(split, datasets))
    settings = settings.with_folders(user_spec_dirs(session.spec_dirs), session.plugins.dirs)
    run.train(settings, out, session.catalogue, session.plugins, session.output, dry_run=dry_run)


def parse_data(texts: list[str]) -> dict[str, dict[str, Any]]:
    """`NAME=ROOT` or `NAME` -> the options of each dataset."""
    bindings: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, equals, root = text.partition("=")
        if not name or (equals and not root):
            raise ConfigError(f"--data {text}: not of the form NAME=ROOT", hint="or NAME alone")
        if name in bindings:
            raise ConfigError(f"--data {name} is given twice", hint="Give each dataset one ROOT.")
        bindings[name] = {"root": str(Path(root).expanduser().resolve())} if equals else {}
    return bindings


def _parse_splits(texts: list[str], datasets: list[str]) -> dict[str, Path]:
    """`NAME=FILE`, or `FILE` where there is one dataset -> the file of each dataset."""
    files: dict[str, Path] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if not equals or Path(text).exists():
            name, file = (datasets[0] if len(datasets) == 1 else ""), text
        if name not in datasets or not file or name in files:
            raise ConfigError(
                f"--split {text}: expected NAME=FILE, once a dataset{near(name, datasets)}",
                hint=f"the datasets of this run: {', '.join(datasets)}",
            )
        files[name] = Path(file)
    return files


def _check_alone(given: dict[str, Any], **others: Any) -> None:
    names = [*(set(given) - {"specs", "plugins_dirs"}), *(k for k, v in others.items() if v)]
    if names:
        option = {"tasks": "task", "set_": "set", "dry_run": "dry-run", "skip_bad": "skip-bad"}
        first = option.get(sorted(names)[0], sorted(names)[0])
        raise ConfigError(
            f"--{first} cannot be given with --resume",
            hint="A resumed run keeps the settings that it was started with.",
        )
