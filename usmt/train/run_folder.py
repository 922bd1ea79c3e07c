"""The files of a run, in one place."""

from __future__ import annotations

import io
import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from usmt.data.split import Split
from usmt.errors import CheckpointError, Defect
from usmt.evaluate.rows import ImageRows, read_rows, write_rows
from usmt.evaluate.scoring import Evaluation
from usmt.output import jsonable
from usmt.task_spec import TaskSpec
from usmt.train.checkpoint import MANIFEST, sha256
from usmt.train.config import RunSettings
from usmt.whole_file import whole_lines, write_csv, write_text
from usmt.yaml_file import YamlError, read_yaml, validate


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run's folder: config.yaml, task_specs/, split.csv, data.json, metrics.jsonl, scores, rows,
    best/, last/, figures/."""

    path: Path

    @classmethod
    def of(cls, path: Path) -> RunFolder:
        """The folder of a run, of which one checkpoint may be named."""
        if (path / MANIFEST).is_file() and not (path / "config.yaml").exists():
            return cls(path.resolve().parent)
        return cls(path)

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def data(self) -> Path:
        """data.json: fingerprint and split of each dataset, in numbers, and the share of the
        training records that is trained on."""
        return self.path / "data.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def best(self) -> Path:
        return self.path / "best"

    @property
    def last(self) -> Path:
        return self.path / "last"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    @property
    def specs(self) -> Path:
        return self.path / "task_specs"

    def scores(self, side: str = "") -> Path:
        """scores.json of training (validation), or scores-SIDE.json of a later evaluation."""
        return self.path / (f"scores-{side}.json" if side else "scores.json")

    def rows(self, side: str = "") -> Path:
        """rows.csv beside scores.json, rows-SIDE.csv beside scores-SIDE.json."""
        return self.path / (f"rows-{side}.csv" if side else "rows.csv")

    def split(self, dataset: str, datasets: Sequence[str]) -> Path:
        """split.csv; one file a dataset where a run has several."""
        return self.path / ("split.csv" if len(datasets) == 1 else f"split-{dataset}.csv")

    @property
    def finished(self) -> bool:
        return self.scores().exists()

    # -- what the run was asked to do

    def begin(
        self,
        settings: RunSettings,
        specs: Sequence[TaskSpec],
        splits: Mapping[str, Split],
        skipped: Sequence[Defect],
    ) -> None:
        """Makes the folder with all that the run is asked to do: the resolved settings, the specs
        of the tasks, the split, and skipped.csv with what --skip-bad left out. It appears whole,
        so that a folder that is there can be resumed; one that was there, empty, is whole when it
        has a config.yaml."""
        fresh = self
        if not self.path.exists():
            fresh = RunFolder(self.path.with_name(f".{self.path.name}.new"))
            shutil.rmtree(fresh.path, ignore_errors=True)
        tasks = fresh.specs / "tasks"
        tasks.mkdir(parents=True)
        for spec in specs:
            write_yaml(tasks / f"{spec.id}.yaml", spec.model_dump(mode="json", exclude_none=True))
        write_yaml(fresh.specs / "tasks.yaml", {"tasks": [spec.id for spec in specs]})
        for name, split in splits.items():
            split.write(fresh.split(name, list(splits)))
        data = {
            name: {
                **split.summary(),
                "fraction": settings.split.fraction,
                "sha256": sha256(fresh.split(name, list(splits))),
            }
            for name, split in splits.items()
        }
        write_text(fresh.data, json.dumps(data, indent=1) + "\n")
        if skipped:
            rows = [(d.task, d.place, d.kind, d.reason) for d in skipped]
            write_csv(fresh.path / "skipped.csv", ("task", "place", "kind", "reason"), rows)
        write_yaml(fresh.config, settings.model_dump(mode="json"))
        if fresh is not self:
            fresh.path.rename(self.path)

    def settings(self) -> RunSettings:
        """The settings that the run was started with. Raises CheckpointError."""
        if not self.config.is_file():
            raise CheckpointError(
                f"{self.path}: not a run, it has no config.yaml",
                hint="Give the folder that `usmt train` printed.",
            )
        with own_files():
            return validate(RunSettings, read_yaml(self.config))

    def read_splits(self, datasets: Sequence[str]) -> dict[str, Split]:
        """The frozen splits of a run's datasets. Raises CheckpointError for one that was changed
        since the run began."""
        begun = read_json(self.data)
        splits = {}
        for name in datasets:
            path = self.split(name, datasets)
            splits[name] = Split.read(path)
            recorded = begun.get(name)
            if not isinstance(recorded, Mapping) or sha256(path) != recorded.get("sha256"):
                raise CheckpointError(
                    f"{path}: not the split that the run began with",
                    hint="Restore it: another split would mix what was trained on with the rest.",
                )
        return splits

    # -- what it did

    def append_metrics(self, entry: Mapping[str, Any]) -> None:
        """One line of metrics.jsonl."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(jsonable(entry)) + "\n")

    def read_metrics(self) -> list[dict[str, Any]]:
        """All whole lines of metrics.jsonl. Raises CheckpointError for one that was not written."""
        lines = whole_lines(self.metrics)
        return [self._entry(line, number) for number, line in enumerate(lines, start=1)]

    def _entry(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            entry = json.loads(line)
            return {**entry, "epoch": int(entry["epoch"])}
        except (ValueError, TypeError, LookupError, RecursionError, OverflowError):
            raise CheckpointError(
                f"{self.metrics}:{number}: not a line of metrics",
                hint="Restore the file from a copy, or remove it: figures will lack these epochs.",
            ) from None

    def keep_metrics(self, epochs: int) -> None:
        """Drops the lines of epochs that will be run again."""
        kept = [entry for entry in self.read_metrics() if entry["epoch"] < epochs]
        write_text(self.metrics, "".join(json.dumps(entry) + "\n" for entry in kept))

    def write_scores(
        self, summary: Mapping[str, Any], evaluation: Evaluation, side: str = ""
    ) -> None:
        """scores.json and, image by image, scores.csv and rows.csv."""
        target = self.scores(side)
        write_rows(self.rows(side), evaluation.rows)
        rows = [(s.task, s.key, s.source_id, s.metric, repr(s.value)) for s in evaluation.per_image]
        write_csv(target.with_suffix(".csv"), ("task", "key", "source_id", "metric", "value"), rows)
        write_text(target, json.dumps(jsonable(summary), indent=1) + "\n")

    def read_rows(self, side: str = "") -> dict[tuple[str, str], ImageRows]:
        """By task and metric, what `write_scores` kept of each image. Raises CheckpointError, with
        the line, for a file that it did not write."""
        return read_rows(self.rows(side))


def summarise(
    evaluation: Evaluation, trivial: Evaluation, tasks: Mapping[str, Any], side: str
) -> dict[str, Any]:
    """What scores.json holds. What is not known is None: where no trivial predictor could be
    fitted, say."""
    entries = {}
    for name, scores in evaluation.scores.items():
        primary = tasks[name].type.primary
        higher = bool(tasks[name].type.metrics(tasks[name].spec)[primary].higher_is_better)
        reference = trivial.scores.get(name, {})
        score, to_beat = scores[primary], reference.get(primary)
        entries[name] = {
            "type": tasks[name].spec.type,
            "metric": primary,
            "score": score,
            "trivial": to_beat,
            "beats_trivial": None if to_beat is None else _better(score, to_beat, higher),
            "images": evaluation.images[name],
            "training_images": len(tasks[name].records["train"]),
            "scores": dict(scores),
            "trivial_scores": dict(reference),
        }
    return {"split": side, "selection": evaluation.selection, "tasks": entries}


def _better(score: float, other: float, higher_is_better: bool) -> bool:
    if math.isclose(score, other, rel_tol=1e-9, abs_tol=1e-9):  # a sum in another order
        return False
    return score > other if higher_is_better else score < other


# -- other files


@contextmanager
def own_files() -> Iterator[None]:
    """YAML files that usmt wrote: what is wrong with one is a CheckpointError."""
    try:
        yield
    except YamlError as error:
        hint = "The file is the run's own: restore it from a copy, or train again."
        raise CheckpointError(error.message, hint=hint) from None


def read_json(path: Path) -> dict[str, Any]:
    """Raises CheckpointError."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(
            f"{path}: cannot be read: {reason}", hint="Restore it from a copy, or train again."
        ) from None


def write_yaml(path: Path, data: Mapping[str, Any]) -> None:
    yaml = YAML()
    yaml.width = 100
    text = io.StringIO()
    yaml.dump(dict(data), text)
    write_text(path, text.getvalue())
