"""From settings to a run that is ready to train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs

from usmt.data.cache import ImageCache, user_folder
from usmt.data.collection import Collection, TaskData, collect, make_task_type, open_datasets
from usmt.data.images import Images
from usmt.data.sampler import MixingSampler
from usmt.data.split import Split
from usmt.errors import ConfigError, near
from usmt.model.backbone import build_backbone
from usmt.model.moe import MoE
from usmt.model.network import Network
from usmt.output import Output
from usmt.plugins import Plugins
from usmt.specs import Catalogue
from usmt.task_spec import TaskSpec
from usmt.task_type import TaskType
from usmt.train.config import RunSettings
from usmt.train.loop import Run
from usmt.train.optimizer import make_optimizer
from usmt.train.run_folder import RunFolder
from usmt.train.step import Learner

MB = 2**20


def chosen_specs(settings: RunSettings, catalogue: Catalogue) -> list[TaskSpec]:
    """The specs of the run's tasks: those of its group, then the single ones, each once."""
    specs = catalogue.group_tasks(settings.group) if settings.group else []
    specs += [catalogue.task(name) for name in settings.tasks]
    return list({spec.id: spec for spec in specs}.values())


def make_types(
    specs: Sequence[TaskSpec], plugins: Plugins, options: Mapping[str, Mapping[str, Any]]
) -> dict[str, TaskType]:
    """One instance of each task type that the specs use, with its options.

    Options of a type that this run does not use are checked all the same.
    """
    names = dict.fromkeys([*(spec.type for spec in specs), *options])
    return {name: make_task_type(plugins, name, options.get(name, {})) for name in names}


def make_collection(
    settings: RunSettings,
    specs: Sequence[TaskSpec],
    types: Mapping[str, TaskType],
    catalogue: Catalogue,
    plugins: Plugins,
    output: Output,
    frozen: Mapping[str, Split] | None = None,
    *,
    other_data: bool = False,
) -> Collection:
    """The run's data: scanned, checked and split."""
    files = settings.split.files if frozen is None else {}
    for name in files:
        if name not in settings.data:
            raise ConfigError(
                f"split.files.{name}: no data of this name{near(name, settings.data)}",
                hint=f"the data of this run: {', '.join(settings.data)}",
            )
    return collect(
        specs,
        types,
        open_datasets(plugins, settings.data),
        list(catalogue.tasks.values()),
        seed=settings.split.seed,
        val=settings.split.val,
        test=settings.split.test,
        skip_bad=settings.skip_bad,
        output=output,
        frozen=frozen,
        other_data=other_data,
        split_files=files,
        fraction=settings.split.fraction,
    )


def make_network(
    settings: RunSettings,
    specs: Sequence[TaskSpec],
    types: Mapping[str, TaskType],
    plugins: Plugins,
    *,
    load: bool = True,
) -> Network:
    """The network, seeded; MoE as the settings say: `auto` means on for several tasks.

    Args:
        load: False for a network whose weights come from a checkpoint: those that the backbone
            started from may not be at hand any more.

    Raises ConfigError, WeightsError, PluginError.
    """
    torch.manual_seed(settings.seed)
    backbone = build_backbone(
        plugins,
        settings.backbone.name,
        weights=settings.backbone.weights,
        image_size=settings.image_size,
        drop_path=settings.backbone.drop_path,
        checkpointing=settings.backbone.checkpointing,
        load=load,
    )
    chosen = settings.moe
    on = chosen.enabled == "on" or (chosen.enabled == "auto" and len(specs) > 1)
    moe = None
    if on:
        moe = MoE(
            experts=chosen.experts,
            blocks=chosen.blocks,
            top_k=chosen.top_k,
            task_width=chosen.task_width,
            hidden_ratio=chosen.hidden_ratio,
        )
    return Network([(spec, types[spec.type]) for spec in specs], backbone, moe=moe)


def make_accelerator(settings: RunSettings) -> Accelerator:
    """One process or several, as it was launched; the device and precision of the settings."""
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "device: cuda was asked for, but torch finds no CUDA device",
            hint="--set device=cpu trains on the processor",
        )
    on_cpu = settings.device == "cpu" or not torch.cuda.is_available()
    if on_cpu:
        torch.use_deterministic_algorithms(True, warn_only=True)
    if on_cpu and settings.precision == "fp16":
        raise ConfigError("precision: fp16 needs a CUDA device", hint="use bf16 or fp32")
    mixed = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}[settings.precision]
    # A process may hold no row of some task in a step: its head then gets no gradient there.
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    # accelerate keeps one precision and device a process; another run may have others.
    AcceleratorState._reset_state(reset_partial_state=not torch.distributed.is_initialized())
    return Accelerator(cpu=on_cpu, mixed_precision=mixed, kwargs_handlers=[unused])


def set_up(
    settings: RunSettings,
    folder: RunFolder,
    specs: Sequence[TaskSpec],
    types: Mapping[str, TaskType],
    collection: Collection,
    plugins: Plugins,
    accelerator: Accelerator,
    output: Output,
    *,
    load: bool = True,
) -> Run:
    """Builds network, optimizer and sampler around the data. For `load`, see `make_network`."""
    tasks = {task.spec.id: task for task in collection.tasks}
    _check_budget(settings, tasks)
    sampler = MixingSampler(
        {name: len(task.records["train"]) for name, task in tasks.items()},
        settings.batch_size,
        kind=settings.sampler.kind,
        temperature=settings.sampler.temperature,
        images_per_epoch=settings.sampler.images_per_epoch,
        seed=settings.seed,
    )
    _check_pieces(settings, sampler, accelerator.num_processes)
    network = make_network(settings, specs, types, plugins, load=load)
    moe_blocks = None if network.moe is None else network.moe.blocks
    settings = settings.as_built(network.backbone.name, moe_blocks)
    rates = settings.optimizer.learning_rate.model_dump()
    optimizer = make_optimizer(network.parameter_groups(), rates, settings.optimizer.weight_decay)
    model, prepared = accelerator.prepare(network, optimizer)
    learner = Learner(
        network=accelerator.unwrap_model(model, keep_fp32_wrapper=True),
        model=model,
        optimizer=prepared,
        accelerator=accelerator,
        tasks=tasks,
        weights=task_weights(settings, tasks),
        balance_weight=settings.moe.balance_weight,
        clip=settings.optimizer.clip,
    )
    images = make_images(settings, tasks, list(tasks), output)
    return Run(settings, folder, collection, tasks, images, sampler, learner, output)


def make_images(
    settings: RunSettings, tasks: Mapping[str, TaskData], task_ids: Sequence[str], output: Output
) -> Images:
    """Reads, fits and keeps the images of some of the network's tasks, `task_ids` in its order."""
    chosen = settings.cache
    disk = None
    if chosen.disk_mb:
        disk = ImageCache(chosen.folder or user_folder(), chosen.disk_mb * MB, output.warning)
    size = (settings.image_size, settings.image_size)
    return Images(tasks, task_ids, size, chosen.memory_mb * MB, disk)


def task_weights(settings: RunSettings, tasks: Mapping[str, TaskData]) -> dict[str, float]:
    """lambda_t by task. Raises ConfigError for a task that is not of the run."""
    unknown = [name for name in settings.task_weights if name not in tasks]
    if unknown:
        raise ConfigError(
            f"task_weights.{unknown[0]}: not a task of this run{near(unknown[0], tasks)}",
            hint=f"its tasks: {', '.join(tasks)}",
        )
    return {name: settings.task_weights.get(name, 1.0) for name in tasks}


def _check_budget(settings: RunSettings, tasks: Mapping[str, TaskData]) -> None:
    drawn = settings.sampler.images_per_epoch
    if drawn is not None and drawn < len(tasks):
        raise ConfigError(
            f"sampler.images_per_epoch: {drawn} images cannot be of {len(tasks)} tasks",
            hint=f"give {len(tasks)} or more: an epoch draws at least one image of each task",
        )


def _check_pieces(settings: RunSettings, sampler: MixingSampler, processes: int) -> None:
    smallest = min(len(batch) for batch in sampler.preview())
    pieces = processes * settings.accumulate
    if smallest < pieces:
        raise ConfigError(
            f"a batch of {smallest} images cannot be cut into {pieces} pieces "
            f"({processes} processes x accumulate {settings.accumulate})",
            hint="raise batch_size, or lower accumulate",
        )


def default_folder(settings: RunSettings, now: str) -> Path:
    """runs/GROUP-TIME, or runs/TASK-TIME."""
    name = settings.group or "-".join(settings.tasks[:2])
    return Path("runs") / f"{name}-{now}"
