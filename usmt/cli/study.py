"""`usmt study`: which tasks should be trained together?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from usmt.cli.session import (
    JsonOption,
    PluginsDirOption,
    Session,
    SpecsOption,
    open_run_session,
    open_session,
)
from usmt.cli.train import parse_data
from usmt.errors import ConfigError, UsmtError
from usmt.specs import user_spec_dirs

if TYPE_CHECKING:
    from usmt.study.folder import StudyFolder
    from usmt.study.plan import Plan
    from usmt.study.spec import StudySpec


def register(app: typer.Typer) -> None:
    study = typer.Typer(
        help="Compare task-specific, grouped and unified training.", no_args_is_help=True
    )
    for command in (plan, run, status, report, job):
        study.command(command.__name__)(command)
    app.add_typer(study, name="study")


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


def plan(
    study: StudyArgument = None,
    groups: GroupsOption = None,
    tasks: TasksOption = None,
    paradigms: ParadigmsOption = None,
    all_: AllOption = None,
    moe: MoEOption = None,
    seeds: SeedsOption = None,
    factors: FactorsOption = None,
    fractions: FractionsOption = None,
    budget: BudgetOption = None,
    data: DataOption = None,
    preset: PresetOption = None,
    set_: SetOption = None,
    jobs: JobsOption = 1,
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Time a few steps for the estimate.")
    ] = True,
    specs: SpecsOption = None,
    plugins_dir: PluginsDirOption = None,
    json: JsonOption = False,
) -> None:
    """Show every run of a study and what it will take, and train nothing."""
    asked = _asked(groups, tasks, paradigms, all_, moe, seeds, factors, fractions, budget, preset)
    opened = _open(study, asked, data, set_, None, specs, plugins_dir, json)
    from usmt.study.measure import estimate
    from usmt.study.tables import plan_data, say_plan

    session, output = opened.session, opened.session.output
    estimates = None
    if measure:
        estimates = estimate(
            *(opened.study, opened.plan, session.catalogue, session.plugins, jobs, output)
        )
    say_plan(opened.plan, estimates, jobs, output)
    output.data(plan_data(opened.plan, estimates, jobs))


def run(
    study: StudyArgument = None,
    groups: GroupsOption = None,
    tasks: TasksOption = None,
    paradigms: ParadigmsOption = None,
    all_: AllOption = None,
    moe: MoEOption = None,
    seeds: SeedsOption = None,
    factors: FactorsOption = None,
    fractions: FractionsOption = None,
    budget: BudgetOption = None,
    data: DataOption = None,
    preset: PresetOption = None,
    set_: SetOption = None,
    out: OutOption = None,
    jobs: JobsOption = 1,
    executor: Annotated[
        str, typer.Option(help="Where the runs are made: local, ray, or a plugin's.")
    ] = "local",
    executor_set: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="One option of the executor."),
    ] = None,
    specs: SpecsOption = None,
    plugins_dir: PluginsDirOption = None,
    json: JsonOption = False,
) -> None:
    """Run a study, or the rest of it, and write its report."""
    asked = _asked(groups, tasks, paradigms, all_, moe, seeds, factors, fractions, budget, preset)
    opened = _open(study, asked, data, set_, out, specs, plugins_dir, json)
    from usmt.study.executors import make_executor
    from usmt.study.run import check_complete, run_study
    from usmt.study.state import read_state

    session, folder = opened.session, opened.folder
    with make_executor(session.plugins, executor, executor_set or [], jobs) as made:
        failures = run_study(
            *(folder, opened.study, opened.plan, made),
            *(session.catalogue, session.plugins, session.output),
        )
    if read_state(folder, opened.study, opened.plan).scored:
        try:
            _report(folder, session, failures)
        except UsmtError as error:
            if not failures:
                raise
            session.output.error(error)
    else:
        session.output.data({"study": str(folder.path), "report": None, "failures": failures})
    check_complete(folder, failures)


def status(study: FolderArgument, json: JsonOption = False) -> None:
    """Show how far a study is, also while it runs."""
    from usmt.study.state import read_state
    from usmt.study.tables import say_state, state_data

    folder, fixed, session, plan = _begun(study, None, json)
    state = read_state(folder, fixed, plan)
    say_state(state, session.output)
    session.output.data(state_data(state))


def report(
    study: FolderArgument, plugins_dir: PluginsDirOption = None, json: JsonOption = False
) -> None:
    """Write the report of a study: a web page, Markdown, tables and figures."""
    folder, _, session, _ = _begun(study, plugins_dir, json)
    _report(folder, session, {})


def job(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="Folder of the study.")],
    id: Annotated[str, typer.Argument(metavar="ID", help="Of the job.")],
) -> None:
    """Do one job of a study in this process, or the rest of it: what executors call."""
    from usmt.study.folder import TEST, StudyFolder
    from usmt.study.job import run_job

    folder = StudyFolder(study)
    settings = folder.job_settings(id.removesuffix(TEST))
    session = open_run_session(settings, None, None, False)
    run_job(folder, id, session.catalogue, session.plugins, session.output)


class _Opened(NamedTuple):
    folder: StudyFolder
    study: StudySpec
    plan: Plan
    session: Session


def _open(
    path: Path | None,
    asked: dict[str, Any],
    data: list[str] | None,
    assignments: list[str] | None,
    out: Path | None,
    specs: list[Path] | None,
    plugins_dir: list[Path] | None,
    json: bool,
) -> _Opened:
    """A study from its file, its folder or the options alone."""
    from usmt.study.begin import with_data
    from usmt.study.folder import StudyFolder
    from usmt.study.load_study import load_study
    from usmt.study.plan import make_plan

    if path is not None and path.is_dir() and out is None:
        out = path
    file = path / "study.yaml" if path is not None and path.is_dir() else path
    settings: dict[str, Any] = {
        "data": parse_data(data or []) or None,
        "specs": [str(each.resolve()) for each in specs or []] or None,
        "plugins_dirs": [str(each.resolve()) for each in plugins_dir or []] or None,
    }
    settings = {key: value for key, value in settings.items() if value is not None}
    study = load_study(file, {**asked, "settings": settings}, assignments or [])
    session = open_session(study.settings.specs, study.settings.plugins_dirs, json)
    folders = user_spec_dirs(session.spec_dirs), session.plugins.dirs
    study = study.model_copy(update={"settings": study.settings.with_folders(*folders)})
    made = make_plan(study, session.catalogue)
    study = with_data(study, session.plugins)
    return _Opened(StudyFolder(out or _default_folder(path, study)), study, made, session)


def _begun(
    path: Path, plugins_dir: list[Path] | None, json: bool
) -> tuple[StudyFolder, StudySpec, Session, Plan]:
    """A study that was begun, by its folder or the file that it came from."""
    from usmt.study.begin import check_unchanged
    from usmt.study.folder import StudyFolder
    from usmt.study.plan import make_plan

    folder = StudyFolder(path if path.is_dir() or not path.is_file() else _default_folder(path))
    study = folder.read_study()
    session = open_run_session(study.settings, None, plugins_dir, json)
    made = make_plan(study, session.catalogue)
    check_unchanged(folder, made, session.catalogue)
    return folder, study, session, made


def _default_folder(path: Path | None, study: StudySpec | None = None) -> Path:
    """studies/NAME: of the file, else of what is compared."""
    if path is not None:
        return Path("studies") / path.stem
    assert study is not None
    return Path("studies") / "-".join([*study.groups, *study.tasks][:4])


def _report(folder: StudyFolder, session: Session, failures: Mapping[str, str]) -> None:
    from usmt.study.gather import gather
    from usmt.study.report import write_report
    from usmt.study.statistics import analyse

    findings = analyse(gather(folder, session.catalogue, session.plugins), session.output)
    page = write_report(findings, folder.report, session.output)
    for sentence in findings.answer:
        session.output.text(sentence)
    session.output.text(f"The report is {page}")
    session.output.data(
        {
            "study": str(folder.path),
            "report": str(page),
            "failures": failures,
            "answer": list(findings.answer),
            "cautions": list(findings.cautions),
            "comparisons": [asdict(each) for each in findings.comparisons],
            "recommendations": [asdict(each) for each in findings.recommendations],
        }
    )


def _asked(
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
