"""`usmt study`: which tasks should be trained together?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usmt.cli.open_study import open_study, reopen_study
from usmt.cli.session import (
    JsonOption,
    PluginsDirOption,
    Session,
    SpecsOption,
    open_run_session,
)
from usmt.cli.study_options import (
    AllOption,
    BudgetOption,
    DataOption,
    FactorsOption,
    FolderArgument,
    FractionsOption,
    GroupsOption,
    JobsOption,
    MoEOption,
    OutOption,
    ParadigmsOption,
    PresetOption,
    SeedsOption,
    SetOption,
    StudyArgument,
    TasksOption,
    asked_keys,
)
from usmt.errors import UsmtError

if TYPE_CHECKING:
    from usmt.study.folder import StudyFolder


def register(app: typer.Typer) -> None:
    study = typer.Typer(
        help="Compare task-specific, grouped and unified training.", no_args_is_help=True
    )
    for command in (plan, run, status, report, job):
        study.command(command.__name__)(command)
    app.add_typer(study, name="study")


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
    asked = asked_keys(
        groups, tasks, paradigms, all_, moe, seeds, factors, fractions, budget, preset
    )
    opened = open_study(study, asked, data, set_, None, specs, plugins_dir, json)
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
    asked = asked_keys(
        groups, tasks, paradigms, all_, moe, seeds, factors, fractions, budget, preset
    )
    opened = open_study(study, asked, data, set_, out, specs, plugins_dir, json)
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

    opened = reopen_study(study, None, json)
    state = read_state(opened.folder, opened.study, opened.plan)
    say_state(state, opened.session.output)
    opened.session.output.data(state_data(state))


def report(
    study: FolderArgument, plugins_dir: PluginsDirOption = None, json: JsonOption = False
) -> None:
    """Write the report of a study: a web page, Markdown, tables and figures."""
    opened = reopen_study(study, plugins_dir, json)
    _report(opened.folder, opened.session, {})


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
