"""A run that was trained: its specs, its network, and its scores on any side or data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel

from usmt.data.collection import Collection
from usmt.dataset import Side
from usmt.errors import ConfigError, near
from usmt.evaluate.gallery import draw_gallery
from usmt.evaluate.scoring import evaluate, evaluate_trivial
from usmt.model.network import Network
from usmt.output import Output
from usmt.plugins import Plugins
from usmt.specs import Catalogue
from usmt.task_spec import Identifier, TaskSpec
from usmt.task_type import TaskType
from usmt.train.checkpoint import load_checkpoint
from usmt.train.config import RunSettings
from usmt.train.loop import load_weights
from usmt.train.report import say_data, say_scores
from usmt.train.run_folder import RunFolder, own_files, summarise
from usmt.train.setup import (
    make_accelerator,
    make_collection,
    make_images,
    make_network,
    make_types,
)
from usmt.yaml_file import read_yaml, validate


def read_specs(folder: RunFolder, plugins: Plugins) -> list[TaskSpec]:
    """The specs that the run was started with, in the order of its tasks. Raises
    CheckpointError, and PluginError for a task type that is not there."""
    specs = []
    with own_files():
        for name in validate(_TaskList, read_yaml(folder.specs / "tasks.yaml")).tasks:
            file = read_yaml(folder.specs / "tasks" / f"{name}.yaml")
            kind = file.data.get("type")
            model = plugins.task_type(kind).Spec if isinstance(kind, str) else TaskSpec
            specs.append(validate(model, file))
    return specs


class _TaskList(BaseModel):
    tasks: list[Identifier]


def load_network(
    checkpoint: Path,
    settings: RunSettings,
    specs: Sequence[TaskSpec],
    types: Mapping[str, TaskType],
    plugins: Plugins,
) -> Network:
    """The run's network with the weights of a checkpoint of it. Raises CheckpointError."""
    network = make_network(settings, specs, types, plugins, load=False)
    load_weights(network, load_checkpoint(checkpoint), checkpoint)
    return network


def evaluate_run(
    path: Path,
    side: Side,
    data: Mapping[str, Mapping[str, Any]],
    only: Sequence[str],
    catalogue: Catalogue,
    plugins: Plugins,
    output: Output,
    *,
    skip_bad: bool = False,
) -> dict[str, Any]:
    """Scores a run's best weights on one side of its frozen split.

    Args:
        data: other data than the run was trained on, by dataset name; empty for its own. Images
            of other data that the run's split knows stay on the side that they were on, and so do
            new ones of a source or group that it knows; all others count as test.
        only: ids of the tasks to score; empty for all of the run's.
        skip_bad: leaves records with defects out, also where the run was trained without that.

    Returns what scores-SIDE.json holds, with the run's folder.
    """
    folder = RunFolder(path)
    trained = folder.settings()
    settings = trained.model_copy(update={"data": dict(data)}) if data else trained
    if skip_bad:
        settings = settings.model_copy(update={"skip_bad": True})
    settings = _as_can_be_had(settings, output)
    specs = read_specs(folder, plugins)
    chosen = _chosen(specs, only)
    accelerator = make_accelerator(settings)
    voice = output if accelerator.is_main_process else Output.silent()
    types = make_types(specs, plugins, settings.task_types)
    network = load_network(folder.best, settings, specs, types, plugins)
    frozen = folder.read_splits(list(trained.data))
    listed = chosen if data else specs  # the run's own data are checked as the whole they were
    collection = make_collection(
        settings, listed, types, catalogue, plugins, voice, frozen, other_data=bool(data)
    )
    say_data(collection, voice)
    tasks = {task.spec.id: task for task in collection.tasks if task.spec in chosen}
    network = accelerator.prepare_model(network, evaluation_mode=True)
    images = make_images(settings, tasks, [spec.id for spec in specs], voice)
    evaluation = evaluate(
        network,
        tasks,
        side,
        images,
        batch_size=settings.batch_size,
        workers=settings.workers,
        device=accelerator.device,
        output=voice,
    )
    trivial = evaluate_trivial(tasks, side, images, voice)
    summary = summarise(evaluation, trivial, tasks, side)
    summary["synthetic"] = collection.synthetic
    summary["data"] = {
        name: {**settings.data[name], "fingerprint": split.fingerprint}
        for name, split in collection.splits.items()
    }
    say_scores(summary, voice)
    if accelerator.is_main_process:
        name = "-".join([side, *_other_scope(collection, data, only)])
        folder.write_scores(summary, evaluation, name)
        gallery = folder.figures / f"gallery-{name}.png"
        draw_gallery(gallery, network, tasks, side, images, accelerator.device)
    answer = {**summary, "folder": str(path)}
    voice.data(answer)
    return answer


def _as_can_be_had(settings: RunSettings, output: Output) -> RunSettings:
    """A run that was trained on a GPU can be scored without one."""
    changes: dict[str, Any] = {}
    if not torch.cuda.is_available():
        if settings.device == "cuda":
            changes["device"] = "cpu"
        if settings.precision == "fp16":
            changes["precision"] = "fp32"
    if changes:
        output.note(f"there is no CUDA device: {', '.join(changes.values())} instead")
    return settings.model_copy(update=changes)


def _other_scope(
    collection: Collection, data: Mapping[str, Any], only: Sequence[str]
) -> Iterator[str]:
    """Parts of the result's name, where it is not of all tasks or not of the run's own data:
    results of another scope must not take the place of each other."""
    for name in data:
        if name in collection.splits:
            yield f"{name}-{collection.splits[name].fingerprint[:8]}"
    yield from only


def _chosen(specs: Sequence[TaskSpec], only: Sequence[str]) -> list[TaskSpec]:
    known = {spec.id: spec for spec in specs}
    for name in only:
        if name not in known:
            raise ConfigError(
                f"'{name}' is not a task of this run{near(name, known)}",
                hint=f"its tasks: {', '.join(known)}",
            )
    return [spec for spec in specs if spec.id in only or not only]
