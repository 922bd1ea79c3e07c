"""Predicts every image of a dataset into a folder that can be handed in."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from usmt.dataset import Dataset, Record, Submission
from usmt.errors import ConfigError, DataError, Defect, kind_of, listed
from usmt.output import Output
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
    records = [record for spec in specs for record in dataset.unlabelled(spec)]
    if not records:
        raise DataError(
            f"{dataset.name} holds no image of the tasks {', '.join(spec.id for spec in specs)}",
            hint="--task chooses among the model's tasks",
        )
    submission = dataset.submission(folder) or PredictionList(folder, model.types)
    journal = Journal(folder)
    name = f"{model.fingerprint[:16]}{'+tta' if job.tta else ''}"
    done = _already_done(journal, submission, specs, name, job)
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
                entry = dict(submission.add(record, model.spec(record.task), result, size))
                done[record.task, record.key] = Done(record.task, record.key, name, entry)
                journal.append(done[record.task, record.key])
            bar.advance()
    seconds = time.monotonic() - started
    of_others = [one for one in journal.read() if one.task not in {spec.id for spec in specs}]
    mine = [done[one.task, one.key] for one in records if (one.task, one.key) in done]
    submission.finish([one.entry for one in [*mine, *of_others]])
    faults = defects + _check(submission, specs, output)
    made = len(open_records) - len(defects)
    answer = {
        "folder": str(folder),
        "tasks": _counts(specs, records, mine),
        "predicted": made,
        "images_per_second": made / seconds if made else None,
        "defects": [asdict(defect) for defect in faults],
    }
    _tell(answer, output)
    if faults:
        raise _whole(faults, folder)
    return answer


def _specs(model: Model, job: Job) -> list[TaskSpec]:
    wanted = [model.spec(name) for name in job.only] or list(model.tasks.values())
    name, synthetic = job.dataset.name, job.dataset.synthetic
    served = [spec for spec in wanted if synthetic or spec.dataset == name]
    if not served:
        read = ", ".join(sorted({spec.dataset for spec in wanted}))
        raise ConfigError(f"the tasks of the model read the dataset {read}, not {name}")
    return served


def _already_done(
    journal: Journal, submission: Submission, specs: Sequence[TaskSpec], name: str, job: Job
) -> dict[tuple[str, str], Done]:
    """What this model has done, with its files still there; makes the folder ready."""
    folder, mine = job.folder, {spec.id for spec in specs}
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not journal.path.exists() and any(folder.iterdir()) and not job.overwrite:
        raise ConfigError(
            f"--out {folder}: is not empty and was not written by usmt predict (no {NAME})",
            hint="Choose another --out, or --overwrite to write into it.",
        )
    journal.cut_torn_line()
    found = [one for one in journal.read() if one.task in mine]
    foreign = {one.task for one in found if one.model != name}
    if foreign and not job.overwrite:
        raise ConfigError(
            f"--out {folder}: holds predictions of another model, or made with other options, "
            f"for {', '.join(sorted(foreign))}",
            hint="Choose another --out, or --overwrite to replace them.",
        )
    if foreign:
        journal.forget(foreign)
    return {
        (one.task, one.key): one
        for one in found
        if one.task not in foreign and submission.is_complete(one.entry)
    }


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
        return record, model.prepare(dataset.read_image(record), record.task)
    except DataError as error:
        return Defect(record.task, record.place, error.message, kind_of(error.message, "image"))


def _check(submission: Submission, specs: Sequence[TaskSpec], output: Output) -> list[Defect]:
    """Reads the folder as whoever receives it will. Returns the errors; warns of the rest."""
    mine = {spec.id for spec in specs}
    errors = []
    lacking: Counter[str] = Counter()
    with output.progress("checking what was written", None):
        defects = submission.check()
    for defect in defects:
        if defect.task and defect.task not in mine:
            lacking[defect.task] += 1
        elif defect.severity == "error":
            errors.append(defect)
        else:
            output.warning(str(defect))
    if lacking:
        output.warning(
            "the folder is not complete yet: predictions of tasks that are not of this model are "
            f"missing or wrong ({', '.join(sorted(lacking))}); predict them into the same folder"
        )
    return errors


def _counts(
    specs: Sequence[TaskSpec], records: Sequence[Record], done: Sequence[Done]
) -> dict[str, dict[str, Any]]:
    images, predicted = Counter(r.task for r in records), Counter(one.task for one in done)
    return {
        spec.id: {"type": spec.type, "images": images[spec.id], "predicted": predicted[spec.id]}
        for spec in specs
    }


def _tell(answer: dict[str, Any], output: Output) -> None:
    output.data(answer)
    rows = [(task, *counts.values()) for task, counts in answer["tasks"].items()]
    rate = answer["images_per_second"]
    note = (
        f"{answer['predicted']} images, {rate:.1f} a second" if rate else "nothing was left to do"
    )
    output.table("Predictions", ("task", "type", "images", "predicted"), rows, note=note)
    output.text(f"The predictions are in {answer['folder']}")


def _whole(faults: Sequence[Defect], folder: Path) -> DataError:
    head = f"{len(faults)} predictions in {folder} are missing or wrong:"
    return DataError(
        "\n".join([head, *listed(faults)]),
        hint="Mend the data and give the command again: it does what is left.",
        defects=faults,
    )
