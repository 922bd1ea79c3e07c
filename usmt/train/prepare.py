"""Fills the cache of prepared images ahead, for the runs that are to come."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Literal

from usmt import dataset_calls
from usmt.data.collection import TaskData, dataset_of, open_datasets
from usmt.data.images import Images, has_fingerprints
from usmt.dataset import Record, Side
from usmt.errors import ConfigError, DataError, Defect, UsmtError
from usmt.output import Output
from usmt.plugins import Plugins
from usmt.specs import Catalogue
from usmt.train.config import RunSettings
from usmt.train.setup import chosen_specs, make_images, make_types

Outcome = Literal["prepared", "present", "unkept"] | Defect


@dataclass(frozen=True, slots=True)
class Filled:
    """What was done for one task.

    Attributes:
        images: records of the task.
        prepared: read, fitted and kept now.
        present: kept already.
        unkept: read, but their labels are nothing that a file can hold.
        defects: what cannot be read.
    """

    images: int
    prepared: int
    present: int
    unkept: int
    defects: list[Defect]


def prepare(
    settings: RunSettings,
    catalogue: Catalogue,
    plugins: Plugins,
    output: Output,
    *,
    lenient: bool = False,
) -> dict[str, Filled]:
    """Keeps every image of the tasks of a run with these settings; what was done, by task.

    Args:
        lenient: tasks that the data do not hold are left out.

    Raises:
        ConfigError: nothing is kept with these settings.
        UsmtError: the cache cannot be written.
    """
    tasks = _tasks(settings, catalogue, plugins, lenient=lenient)
    images = make_images(settings, tasks, list(tasks), output)
    if images.disk is None:
        raise ConfigError("cache.disk_mb is 0: no image is kept on disk")
    pairs = [(task, record) for task in tasks.values() for record in task.records["train"]]
    outcomes: dict[str, list[Outcome]] = {name: [] for name in tasks}
    pool = ThreadPoolExecutor(min(os.cpu_count() or 1, 16))
    try:
        with output.progress("preparing images", len(pairs)) as bar:
            done = pool.map(partial(_prepare, images), pairs)
            for (task, _), outcome in zip(pairs, done, strict=True):
                outcomes[task.spec.id].append(outcome)
                bar.advance()
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupt must not wait for the rest
    if images.disk.removed:
        output.warning(
            f"the cache is full: {images.disk.removed} prepared images were removed to make room "
            f"(the limit is {settings.cache.disk_mb} MB: cache.disk_mb)"
        )
    return {name: _filled(found) for name, found in outcomes.items()}


def _tasks(
    settings: RunSettings, catalogue: Catalogue, plugins: Plugins, *, lenient: bool
) -> Mapping[str, TaskData]:
    """The tasks with all their records on one side; which side they are on does not matter."""
    specs = chosen_specs(settings, catalogue)
    types = make_types(specs, plugins, settings.task_types)
    datasets = open_datasets(plugins, settings.data)
    for name, dataset in datasets.items():
        if not has_fingerprints(dataset):
            raise ConfigError(
                f"the images of {name} are not kept: it gives no fingerprint of its records",
                hint="Train on them as they are; nothing needs to be prepared.",
            )
    tasks = {}
    for spec in specs:
        dataset = dataset_of(spec, datasets)
        try:
            records = dataset_calls.records(dataset, spec)
        except DataError:
            if lenient:
                continue
            raise
        sides: dict[Side, list[Record]] = {"train": records, "val": [], "test": []}
        tasks[spec.id] = TaskData(spec, types[spec.type], dataset, sides)
    if not tasks:
        raise DataError(
            f"no known task has images in the data of {', '.join(datasets)}",
            hint="Its tasks: usmt tasks list; specs of your own: --specs DIR",
        )
    return tasks


def _prepare(images: Images, pair: tuple[TaskData, Record]) -> Outcome:
    task, record = pair
    if record.defect is not None:
        return Defect(task.spec.id, record.place, record.defect)
    if images.from_disk(task, record) is not None:
        return "present"
    try:
        images.prepare(task, record)
    except DataError as error:
        reason = error.message.removeprefix(f"{record.place}: ")
        return Defect(task.spec.id, record.place, reason, "image")
    assert images.disk is not None
    if images.disk.problem is not None:
        raise UsmtError(
            f"prepared images cannot be kept in {images.disk.folder}: {images.disk.problem}",
            hint="Name another folder: --set cache.folder=DIR, or USMT_CACHE",
        )
    return "prepared" if images.from_disk(task, record) is not None else "unkept"


def _filled(outcomes: list[Outcome]) -> Filled:
    defects = [outcome for outcome in outcomes if isinstance(outcome, Defect)]
    counts = Counter(outcome for outcome in outcomes if not isinstance(outcome, Defect))
    return Filled(len(outcomes), counts["prepared"], counts["present"], counts["unkept"], defects)
