"""The main job, from settings to a trained and scored run; and going on with one that stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from usmt import task_type_calls
from usmt.data.collection import Collection, default_data
from usmt.data.split import Split
from usmt.errors import ConfigError, PluginError
from usmt.evaluate.gallery import draw_gallery
from usmt.model.find_backbone import find_backbone
from usmt.model.weights import weight_file
from usmt.output import Output
from usmt.plugins import Plugins
from usmt.specs import Catalogue
from usmt.task_spec import TaskSpec
from usmt.train.audit import audit
from usmt.train.checkpoint import Checkpoint, load_checkpoint, recover
from usmt.train.config import RunSettings
from usmt.train.figures import draw_curves, draw_routing
from usmt.train.finished import read_specs
from usmt.train.loop import Run, conclude, fit, go_on
from usmt.train.report import say_audit, say_data, say_scores
from usmt.train.run_folder import RunFolder, read_json
from usmt.train.setup import (
    chosen_specs,
    default_folder,
    make_accelerator,
    make_collection,
    make_types,
    set_up,
)
from usmt.whole_file import check_folder


def train(
    settings: RunSettings,
    out: Path | None,
    catalogue: Catalogue,
    plugins: Plugins,
    output: Output,
    *,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Trains and scores a new run; with `dry_run`, stops after the audit and writes nothing.

    Returns what scores.json holds, with the run's folder; for a dry run, the audit.
    """
    if not settings.data:
        settings = settings.model_copy(update={"data": default_data(plugins)})
    specs = chosen_specs(settings, catalogue)
    accelerator = make_accelerator(settings)
    folder = RunFolder(_agreed_folder(settings, out, accelerator))
    if not dry_run:
        _check_free(folder.path)
    run = _prepare(settings, folder, specs, catalogue, plugins, accelerator, output)
    if dry_run:
        return _told({"audit": asdict(_audit(run)), "folder": None}, run.output)
    with _begun(run, specs) if run.main else nullcontext():
        accelerator.wait_for_everyone()
        return _train(run)


def resume(path: Path, catalogue: Catalogue, plugins: Plugins, output: Output) -> dict[str, Any]:
    """Goes on with a run that was stopped, with its own settings, tasks and split."""
    folder = RunFolder(path)
    settings = folder.settings()
    accelerator = make_accelerator(settings)
    if folder.finished:
        voice = output if accelerator.is_main_process else Output.silent()
        summary = read_json(folder.scores())
        voice.note(f"{path} is finished")
        say_scores(summary, voice)
        return _told({**summary, "folder": str(path)}, voice)
    specs = read_specs(folder, plugins)
    if accelerator.is_main_process:
        recover(folder.last)
    accelerator.wait_for_everyone()
    begun = folder.last.exists()
    run = _prepare(
        *(settings, folder, specs, catalogue, plugins, accelerator, output),
        frozen=folder.read_splits(list(settings.data)),
        checkpoint=load_checkpoint(folder.last) if begun else None,
    )
    if run.main:
        folder.keep_metrics(run.epoch)
    run.output.note(f"goes on after epoch {run.epoch} of {settings.epochs}")
    return _train(run)


def _prepare(
    settings: RunSettings,
    folder: RunFolder,
    specs: Sequence[TaskSpec],
    catalogue: Catalogue,
    plugins: Plugins,
    accelerator: Accelerator,
    output: Output,
    frozen: Mapping[str, Split] | None = None,
    checkpoint: Checkpoint | None = None,
) -> Run:
    voice = output if accelerator.is_main_process else Output.silent()
    types = make_types(specs, plugins, settings.task_types)
    _check_backbone(settings, plugins, load=checkpoint is None)
    for spec in specs:  # they would be asked for after the first epoch
        task_type_calls.metrics(types[spec.type], spec)
    collection = make_collection(settings, specs, types, catalogue, plugins, voice, frozen)
    say_data(collection, voice)
    settings = _with_used_data(settings, collection, voice)
    run = set_up(
        *(settings, folder, specs, types, collection, plugins, accelerator, voice),
        load=checkpoint is None,
    )
    if checkpoint is not None:
        go_on(run, checkpoint)
    say_audit(_audit(run), collection, voice)
    return run


def _check_backbone(settings: RunSettings, plugins: Plugins, *, load: bool) -> None:
    """What would be told when the data are read, which may take long."""
    find_backbone(plugins, settings.backbone.name)
    if load and settings.backbone.weights not in ("pretrained", "none"):
        weight_file(settings.backbone.weights)


def _check_free(path: Path) -> None:
    """Raises ConfigError unless a run can be written there; before the data are read."""
    check_folder(path)
    if path.is_dir() and any(path.iterdir()):
        raise ConfigError(
            f"{path}: exists and is not empty",
            hint=f"Choose another --out, or go on with it: usmt train --resume {path}",
        )


def _with_used_data(settings: RunSettings, collection: Collection, output: Output) -> RunSettings:
    """The settings without datasets that no task of the run reads."""
    unused = [name for name in settings.data if name not in collection.splits]
    if unused:
        output.warning(f"no task of this run reads the data of {', '.join(unused)}")
    used = {name: settings.data[name] for name in collection.splits}
    files = {name: file for name, file in settings.split.files.items() if name in used}
    split = settings.split.model_copy(update={"files": files})
    return settings.model_copy(update={"data": used, "split": split})


def _audit(run: Run) -> Any:
    types = {name: task.spec.type for name, task in run.tasks.items()}
    learner, epochs = run.learner, run.settings.epochs
    return audit(learner.network, learner.optimizer, run.sampler, types, learner.weights, epochs)


def _train(run: Run) -> dict[str, Any]:
    try:
        fit(run)
    except KeyboardInterrupt:
        run.output.note(f"stopped; go on with: usmt train --resume {run.folder.path}")
        raise
    summary, evaluation = conclude(run)
    if run.main:
        _draw(run)
        run.folder.write_scores(summary, evaluation)  # last: with them the run is finished
    say_scores(summary, run.output)
    run.output.text(f"The run is in {run.folder.path}")
    return _told({**summary, "folder": str(run.folder.path)}, run.output)


@contextmanager
def _begun(run: Run, specs: Sequence[TaskSpec]) -> Iterator[None]:
    """The run's folder with its settings, specs and splits. If the run fails before anything else
    is in it, they are removed, so that the command can be given again. A run that is stopped by
    hand can be gone on with."""
    path = run.folder.path
    _check_free(path)  # once more: it may be long since the first time
    new = [each for each in (path, *path.parents) if not each.exists()]
    begun: set[Path] | None = None
    try:
        run.folder.begin(run.settings, specs, run.collection.splits, run.collection.skipped)
        begun = set(path.rglob("*"))
        yield
    except Exception:
        there = set(path.rglob("*"))
        if begun in (None, there):
            _remove(there, new)
            run.output.note(f"there is no checkpoint yet, and {path} is as it was before")
        raise


def _remove(written: Set[Path], new: Sequence[Path]) -> None:
    """Files and folders, and then the `new` ones around them, as far as they are empty."""
    for each in sorted(written, reverse=True):
        if each.is_dir():
            each.rmdir()
        else:
            each.unlink()
    for each in new:
        with suppress(OSError):
            each.rmdir()


def _told(answer: dict[str, Any], output: Output) -> dict[str, Any]:
    """The answer, also as JSON where that is asked for; one process speaks for all."""
    output.data(answer)
    return answer


def _draw(run: Run) -> None:
    primary = {name: task.type.primary for name, task in run.tasks.items()}
    draw_curves(run.folder.figures / "curves.png", run.folder.read_metrics(), primary)
    network = run.learner.network
    device = run.learner.accelerator.device
    gallery = run.folder.figures / "gallery.png"
    try:
        draw_gallery(gallery, network, run.tasks, "val", run.images, device)
    except PluginError as error:  # scores are worth more than pictures
        run.output.warning(f"there is no gallery: {error.message}")
    routing = network.routing_report()
    if routing is not None:
        draw_routing(run.folder.figures / "routing.png", routing.as_dict())


def _agreed_folder(settings: RunSettings, out: Path | None, accelerator: Accelerator) -> Path:
    """The same folder in every process, though their clocks differ."""
    if out is not None:
        return out
    chosen = [default_folder(settings, time.strftime("%Y%m%d-%H%M%S"))]
    if accelerator.num_processes > 1:
        broadcast_object_list(chosen)
    return chosen[0]
