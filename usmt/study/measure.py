"""How long a study will take: measured on a few steps of this machine, network by network.

Networks that differ in their tasks alone are measured once. Each is measured in a process of its
own, as its runs will be: only so is the peak of its memory its own.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import pickle
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usmt.data.collection import Collection, TaskData, open_datasets
from usmt.errors import UsmtError
from usmt.executor import usable_cores
from usmt.output import Output
from usmt.plugins import Plugins, load_plugins_of_run
from usmt.specs import Catalogue
from usmt.study.begin import collect_data
from usmt.study.plan import Plan, Unit
from usmt.study.spec import StudySpec
from usmt.train.config import RunSettings
from usmt.train.setup import make_accelerator, make_types, set_up

if TYPE_CHECKING:
    from usmt.train.loop import Run

STEPS = 3
"""Steps that are timed, after as many on the same images to warm up."""

SCORED = 24
"""Validation images that are scored."""

MB = 2**20


@dataclass(frozen=True, slots=True)
class Measured:
    """One network on this machine.

    Attributes:
        start: seconds that a process needs before its first step, without reading the data.
        step: seconds a step.
        image: seconds to score an image.
        memory_mb: peak of the process, or of the CUDA device where there is one.
    """

    parameters: int
    start: float
    step: float
    image: float
    memory_mb: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one run of a unit will take, by measurements of the same network or a like one.

    Attributes:
        memory_mb: peak of its process, without the images that it keeps (`cache.memory_mb`).
    """

    steps: int
    parameters: int
    memory_mb: float
    seconds: float


def estimate(
    study: StudySpec,
    plan: Plan,
    catalogue: Catalogue,
    plugins: Plugins,
    jobs: int,
    output: Output,
) -> dict[str, Estimate]:
    """One estimate a unit, by its name, for runs of which `jobs` share this machine's cores."""
    threads = max(1, usable_cores() // jobs)
    begun = time.perf_counter()
    collection = collect_data(study, plan, catalogue, plugins, output)
    every = sum(len(its) for task in collection.tasks for its in task.records.values())
    reading = (time.perf_counter() - begun) / max(1, every)
    tasks = {task.spec.id: task for task in collection.tasks}
    kinds = {unit.name: _kind(unit, tasks) for unit in plan.units}
    measured: dict[object, Measured] = {}
    found = {}
    with output.progress("measuring", len(set(kinds.values()))) as bar:
        for unit in plan.units:
            settings = unit.settings(study, seed=study.seeds[0])
            chosen = [tasks[name] for name in unit.tasks]
            if kinds[unit.name] not in measured:
                bar.update(description=f"measuring {unit.name}")
                measured[kinds[unit.name]] = _measure(settings, chosen, threads)
                bar.advance()
            found[unit.name] = _estimate(
                unit, settings, chosen, measured[kinds[unit.name]], reading
            )
    return found


def _kind(unit: Unit, tasks: dict[str, TaskData]) -> object:
    """What makes networks alike: heads of the same types, and as many rows of the same kinds."""
    types = sorted(tasks[name].spec.type for name in unit.tasks)
    return tuple(types), unit.moe


def _estimate(
    unit: Unit,
    settings: RunSettings,
    tasks: Sequence[TaskData],
    measured: Measured,
    reading: float,
) -> Estimate:
    """`reading`: seconds to read and check an image."""
    drawn = settings.sampler.images_per_epoch or sum(
        max(1, round(unit.fraction * len(task.records["train"]))) for task in tasks
    )
    steps = settings.epochs * math.ceil(drawn / settings.batch_size)
    scored = sum(
        (settings.epochs + 1) * len(task.records["val"]) + len(task.records["test"])
        for task in tasks
    )
    # Two processes, one that trains and one that scores, each start and read their images.
    read = 2 * sum(len(its) for task in tasks for its in task.records.values())
    seconds = 2 * measured.start + read * reading + steps * measured.step + scored * measured.image
    return Estimate(steps, measured.parameters, measured.memory_mb, seconds)


def _measure(settings: RunSettings, tasks: Sequence[TaskData], threads: int) -> Measured:
    """In a new process. Raises UsmtError where the network does not fit into the memory."""
    # What plugins give can be unpickled only where they are loaded; a dataset need not be at all.
    data = pickle.dumps([(task.spec, task.dataset.name, task.records) for task in tasks])
    started = time.time()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(_measured, settings, data, threads, started).result()
        except BrokenProcessPool:
            names = ", ".join(task.spec.id for task in tasks)
            raise UsmtError(
                f"the network for {names} could not be measured: its process was ended, most "
                "likely for want of memory",
                hint="Lower batch_size, or raise accumulate, in the study's settings.",
            ) from None


def _measured(settings: RunSettings, data: bytes, threads: int, started: float) -> Measured:
    import torch

    torch.set_num_threads(threads)
    plugins = load_plugins_of_run(settings.plugins_dirs)
    run = _run(settings, _reopened(settings, data, plugins), plugins)
    start = time.time() - started
    _steps(run)
    begun = time.perf_counter()
    _steps(run)
    step = (time.perf_counter() - begun) / min(STEPS, run.sampler.steps)
    parameters = sum(each.numel() for each in run.learner.network.parameters())
    _score(run)
    begun = time.perf_counter()
    scored = _score(run)
    image = (time.perf_counter() - begun) / scored
    return Measured(parameters, start, step, image, _peak_mb(run.learner.accelerator.device))


def _reopened(settings: RunSettings, data: bytes, plugins: Plugins) -> list[TaskData]:
    datasets = open_datasets(plugins, settings.data)
    listed = pickle.loads(data)
    kinds = make_types([spec for spec, _, _ in listed], plugins, settings.task_types)
    return [
        TaskData(spec, kinds[spec.type], datasets[name], records) for spec, name, records in listed
    ]


def _run(settings: RunSettings, tasks: Sequence[TaskData], plugins: Plugins) -> Run:
    """A run that is ready for its first step, and that writes nothing."""
    from usmt.train.run_folder import RunFolder

    specs = [task.spec for task in tasks]
    types = {task.spec.type: task.type for task in tasks}
    return set_up(
        settings,
        RunFolder(Path(os.devnull)),
        specs,
        types,
        Collection(tasks, {}),
        plugins,
        make_accelerator(settings),
        Output.silent(),
    )


def _steps(run: Run) -> None:
    from usmt.train.loop import train_steps

    for _ in train_steps(run, run.sampler.preview()[:STEPS]):
        pass
    if run.learner.accelerator.device.type == "cuda":
        import torch

        torch.cuda.synchronize()


def _score(run: Run) -> int:
    """Scores some validation images of each task; how many."""
    from usmt.train.loop import validate

    share = max(1, SCORED // len(run.tasks))
    few = {
        name: replace(task, records={**task.records, "val": task.records["val"][:share]})
        for name, task in run.tasks.items()
    }
    return sum(validate(replace(run, tasks=few)).images.values())


def _peak_mb(device: Any) -> float:
    if device.type == "cuda":
        import torch

        return float(torch.cuda.max_memory_allocated(device)) / MB
    try:
        import resource
    except ImportError:  # not on Windows
        return math.nan
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) / (MB if sys.platform == "darwin" else 1024)
