"""One job of a study, in this process: a run is trained, or scored on the test side."""

from __future__ import annotations

import shutil

from usmt.errors import ConfigError
from usmt.output import Output
from usmt.plugins import Plugins
from usmt.specs import Catalogue
from usmt.study.folder import TEST, StudyFolder
from usmt.train import run
from usmt.train.finished import evaluate_run
from usmt.train.run_folder import RunFolder
from usmt.train.setup import chosen_specs


def run_job(
    folder: StudyFolder, id: str, catalogue: Catalogue, plugins: Plugins, output: Output
) -> None:
    """Does a job, or the rest of it; nothing where it is done. May be given again at any time, by
    any process that sees the folder: two that are given the same job do it one after the other.

    Args:
        id: of a run, or of a run's scoring: with `-test` behind it.
    """
    name = id.removesuffix(TEST)
    settings = folder.job_settings(name)
    target = folder.run(name)
    with folder.held(name):
        folder.check_sealed(chosen_specs(settings, catalogue))
        if id.endswith(TEST):
            _score(target, catalogue, plugins, output)
            return
        if target.path.exists():
            run.resume(target.path, catalogue, plugins, output)
        else:
            run.train(settings, target.path, catalogue, plugins, output)
        # A finished run is never gone on with; of a large network this is most of its folder.
        shutil.rmtree(target.last, ignore_errors=True)


def _score(target: RunFolder, catalogue: Catalogue, plugins: Plugins, output: Output) -> None:
    if not target.finished:
        raise ConfigError(
            f"{target.path}: not finished, so that it cannot be scored",
            hint="Test images are for runs that have come to their end.",
        )
    evaluate_run(target.path, "test", {}, [], catalogue, plugins, output)
