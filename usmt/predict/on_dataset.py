"""Predicts every image of a dataset into a folder that can be handed in."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from usmt import dataset_calls
from usmt.dataset import Dataset, Entry, Record, Submission
from usmt.errors import ConfigError, DataError, Defect, kind_of, listed
from usmt.output import Output
from usmt.plugin_faults import blamed
from usmt.predict.journal import NAME, Done, Journal
from usmt.predict.model import Model, PreparedImage
from usmt.predict.prediction_list import PredictionList
from usmt.task_spec import TaskSpec
from usmt.whole_file import check_folder

BATCHES_AHEAD = 2
"""Batches that are read while the network is at work."""
READERS = 4
"""Threads that read; decoders let go of the interpreter's lock."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be predicted where.

    Attributes:
        only: ids of tasks; empty for all that the model knows and the dataset holds.
        overwrite: throw away what another model, or the same with other options, predicted for
            these tasks.
    """

    dataset: Dataset
    folder: Path
    only: Sequence[str] = ()
    tta: bool = False
    batch_size: int = 16
    overwrite: bool = False


def predict_dataset(model: Model, job: Job, output: Output) -> dict[str, Any]:
    """Predicts what is not predicted yet, writes the lists and checks the whole folder.

    Labels are not read. An image that cannot be read does not stop the others.

    Returns counts by task, the rate, and warnings of the check; for --json.

    Raises:
        ConfigError: the folder holds something else, or predictions of another model.
        DataError: images could not be read, or the folder is not as it should be.
    """
    dataset, folder = job.dataset, job.folder
    specs = _specs(model, job)
    records = [record for spec in specs for record in dataset_calls.unlabelled(dataset, spec)]
    if not records:
        raise DataError(
            f"{dataset.name} holds no image of the tasks {', '.join(spec.id for spec in specs)}",
            hint="--task chooses among the model's tasks",
        )
    with dataset_calls.asking(dataset, "submission", str(folder)):
        handed_in = dataset.submission(folder)
    submission = handed_in or PredictionList(folder, model.types, dataset.pixel_size)
    journal = Journal(folder)
    makers = {spec.id: _maker(model, spec, job) for spec in specs}
    done = _already_done(journal, submission, records, makers, job)
    open_records = [one for one in records if (one.task, one.key) not in done]
    if kept := len(records) - len(open_records):
        output.note(f"{kept} of {len(records)} images are predicted already")
    started = time.monotonic()
    defects = []
    with output.progress(f"predicting {dataset.name}", len(open_records)) as bar:
        for seen in _predicted(model, job, open_records):
            if isinstance(seen, Defect):
                defects.append(seen)
            else:
                record, result, size = seen
                with blamed(
                    f"dataset {dataset.name}, task {record.task}: handing in {record.place}",
                    submission.add,
                    dataset,
                    model.type_of(record.task),
                ):
                    entry = dict(submission.add(record, model.spec(record.task), result, size))
                    image = dataset.fingerprint(record)
                fresh = Done(record.task, record.key, makers[record.task], image, entry)
                done[record.task, record.key] = fresh
                journal.append(fresh)
            bar.advance()
    seconds = time.monotonic() - started
    mine = [done[one.task, one.key] for one in records if (one.task, one.key) in done]
    submission.finish([*(one.entry for one in mine), *_of_others(journal, makers)])
    reported = {defect.place for defect in defects}
    found, warnings = _check(submission, specs, output)
    faults = defects + [one for one in found if one.place not in reported]
    made = len(open_records) - len(defects)
    answer = {
        "folder": str(folder),
        "tasks": _counts(specs, records, mine),
        "predicted": made,
        "images_per_second": made / seconds if made else None,
        "warnings": [asdict(warning) for warning in warnings],
    }
    _tell(answer, len(open_records), output)
    if faults:
        raise _error(faults, len(defects), folder)
    return answer


def _specs(model: Model, job: Job) -> list[TaskSpec]:
    wanted = [model.spec(name) for name in dict.fromkeys(job.only)] or list(model.tasks.values())
    name, synthetic = job.dataset.name, job.dataset.synthetic
    served = [spec for spec in wanted if synthetic or spec.dataset == name]
    if not served:
        read = ", ".join(sorted({spec.dataset for spec in wanted}))
        raise ConfigError(f"the tasks of the model read the dataset {read}, not {name}")
    return served


def _maker(model: Model, spec: TaskSpec, job: Job) -> str:
    """Of all that changes what is predicted of a task."""
    options = model.types[spec.type].options.model_dump(mode="json")
    parts = [model.fingerprint, spec.model_dump(mode="json"), options, job.tta]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _already_done(
    journal: Journal,
    submission: Submission,
    records: Sequence[Record],
    makers: Mapping[str, str],
    job: Job,
) -> dict[tuple[str, str], Done]:
    """What this model has done of the images as they are now, with its files still there; makes
    the folder ready."""
    folder = job.folder
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not journal.path.exists() and any(folder.iterdir()):
        raise ConfigError(
            f"--out {folder}: is not empty and was not written by usmt predict (no {NAME})",
            hint="Choose another --out.",
        )
    journal.path.touch()
    journal.cut_torn_line()
    found = [one for one in journal.read() if one.task in makers]
    foreign = {one.task for one in found if one.model != makers[one.task]}
    if foreign and not job.overwrite:
        raise ConfigError(
            f"--out {folder}: holds predictions of another model, or made with other options, "
            f"for {', '.join(sorted(foreign))}",
            hint="Choose another --out, or --overwrite to replace them.",
        )
    if foreign:
        journal.forget(foreign)
        # Until all is predicted anew, the lists must not speak of what was thrown away.
        submission.finish(_of_others(journal, makers))
    kept = {(one.task, one.key): one for one in found if one.task not in foreign}
    return {
        name: kept[name]
        for record in records
        if (name := (record.task, record.key)) in kept
        and kept[name].image == job.dataset.fingerprint(record)
        and submission.is_complete(record, kept[name].entry)
    }


def _of_others(journal: Journal, makers: Mapping[str, str]) -> list[Entry]:
    """The entries of tasks that are not predicted now, each image once."""
    latest = {(one.task, one.key): one for one in journal.read() if one.task not in makers}
    return [one.entry for one in latest.values()]


Seen = tuple[Record, Any, tuple[int, int]]
"""A record, its result, and the size of its image."""


def _predicted(model: Model, job: Job, records: Sequence[Record]) -> Iterator[Seen | Defect]:
    batches = [
        records[start : start + job.batch_size] for start in range(0, len(records), job.batch_size)
    ]
    for batch in _read_ahead(model, job.dataset, batches):
        yield from (one for one in batch if isinstance(one, Defect))
        whole = [one for one in batch if not isinstance(one, Defect)]
        if not whole:
            continue
        results = model.predict_prepared([image for _, image in whole], tta=job.tta)
        for (record, image), result in zip(whole, results, strict=True):
            yield record, result, image.frame.original


def _read_ahead(
    model: Model, dataset: Dataset, batches: Iterable[Sequence[Record]]
) -> Iterator[list[tuple[Record, PreparedImage] | Defect]]:
    """The batches' images, in order, the next ones being read while one is in use."""
    waiting: deque[list[Future[tuple[Record, PreparedImage] | Defect]]] = deque()
    coming = iter(batches)
    pool = ThreadPoolExecutor(READERS)
    try:
        while True:
            for batch in islice(coming, BATCHES_AHEAD + 1 - len(waiting)):
                waiting.append([pool.submit(_read, model, dataset, one) for one in batch])
            if not waiting:
                return
            yield [future.result() for future in waiting.popleft()]
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupt must not wait for the rest


def _read(model: Model, dataset: Dataset, record: Record) -> tuple[Record, PreparedImage] | Defect:
    if record.defect is not None:
        return Defect(record.task, record.place, record.defect, kind_of(record.defect, "row"))
    try:
        image = dataset_calls.image(dataset, record)
        return record, model.prepare(image, record.task)
    except DataError as error:
        return Defect(record.task, record.place, error.message, kind_of(error.message, "image"))


def _check(
    submission: Submission, specs: Sequence[TaskSpec], output: Output
) -> tuple[list[Defect], list[Defect]]:
    """Reads the folder as whoever receives it will: errors and warnings."""
    mine = {spec.id for spec in specs}
    with output.progress("checking what was written", None):
        defects = submission.check()
    errors = [one for one in defects if one.severity == "error"]
    warnings = [one for one in defects if one.severity == "warning"]
    if warnings:
        head = f"{len(warnings)} remarks on what was written:"
        output.warning("\n".join([head, *listed(warnings)]))
    if lacking := sorted({one.task for one in errors if one.task and one.task not in mine}):
        output.warning(
            f"the folder is not complete yet: predictions of other tasks are missing or wrong "
            f"({', '.join(lacking)}); predict them into the same folder"
        )
    return [one for one in errors if not one.task or one.task in mine], warnings


def _counts(
    specs: Sequence[TaskSpec], records: Sequence[Record], done: Sequence[Done]
) -> dict[str, dict[str, Any]]:
    images, predicted = Counter(r.task for r in records), Counter(one.task for one in done)
    return {
        spec.id: {"type": spec.type, "images": images[spec.id], "predicted": predicted[spec.id]}
        for spec in specs
    }


def _tell(answer: dict[str, Any], left: int, output: Output) -> None:
    output.data(answer)
    rows = [(task, *counts.values()) for task, counts in answer["tasks"].items()]
    rate = answer["images_per_second"]
    note = f"{rate:.1f} images a second" if rate else "nothing was left to do"
    output.table(
        "Predictions",
        ("task", "type", "images", "predicted"),
        rows,
        note=note if rate or not left else None,
    )
    output.text(f"The predictions are in {answer['folder']}")


def _error(faults: Sequence[Defect], unpredicted: int, folder: Path) -> DataError:
    head = f"{len(faults)} predictions in {folder} are missing or wrong:"
    return DataError(
        "\n".join([head, *listed(faults)]),
        hint="Mend the data and give the command again: it does what is left."
        if unpredicted
        else "See usmt submission check, or predict into another folder.",
        defects=faults,
    )
