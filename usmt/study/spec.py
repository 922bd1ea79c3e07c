"""What a study is asked to be: its arms, seeds, budget, and the settings of every run.

A study is a YAML file, over which the options of the command are laid: the same keys, each with
the same meaning (docs/how_to/study.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from usmt.errors import ConfigError
from usmt.task_spec import Identifier
from usmt.train.config import RunSettings, Settings
from usmt.train.load_settings import config_error, merge

Fraction = Annotated[float, Field(gt=0, le=1)]
Factor = Annotated[float, Field(gt=0, le=1000)]

OWN = {
    ("group",): "groups",
    ("tasks",): "tasks",
    ("seed",): "seeds",
    ("moe", "enabled"): "moe",
    ("split", "fraction"): "fractions",
}
"""Settings of a run that the study itself decides, and the key of the study that says them."""

ANY_TASK = "any"
"""Stands for the tasks of a run in the settings that all runs share."""


class Budget(Settings):
    """How long each run trains; one of the three."""

    epochs: int | None = Field(
        None, ge=1, description="passes over its images, as in the paper; null: that of `settings`"
    )
    steps: int | None = Field(None, ge=1, description="optimizer steps, the same for every run")
    images: int | None = Field(
        None, ge=1, description="images of each task, the same for every task and run"
    )

    @model_validator(mode="after")
    def _one(self) -> Budget:
        if sum(value is not None for value in (self.epochs, self.steps, self.images)) > 1:
            raise ValueError("give one of epochs, steps and images")
        return self


class LearningRateSearch(Settings):
    """The search for a learning rate, for each network of each arm, on validation alone."""

    factors: list[Factor] = Field(
        [1.0], min_length=1, description="of all learning rates: those to try, or the range"
    )
    sampler: Literal["grid", "tpe"] = Field(
        "grid", description="grid: every factor; tpe: `trials` factors between least and largest"
    )
    trials: int | None = Field(None, ge=2, description="runs of a tpe search")
    pruning: bool = Field(
        False, description="stop runs that are behind the median of the others at the same epoch"
    )

    @property
    def needed(self) -> bool:
        """Whether there is anything to choose."""
        return self.sampler == "tpe" or len(self.factors) > 1

    @model_validator(mode="after")
    def _complete(self) -> LearningRateSearch:
        if len(set(self.factors)) < len(self.factors):
            raise ValueError("factors: one is there twice")
        if (self.sampler == "tpe") != (self.trials is not None):
            raise ValueError("trials: needed for `sampler: tpe`, and only for it")
        if self.sampler == "tpe" and len(self.factors) < 2:
            raise ValueError("factors: a tpe search needs the least and the largest")
        return self


class StatisticsSettings(Settings):
    """How certain is certain."""

    confidence: float = Field(0.95, gt=0.5, lt=1, description="of intervals")
    margin: float = Field(0.05, gt=0, lt=1, description="relative change too small to matter")
    resamples: int = Field(2000, ge=200, le=100_000, description="of the bootstrap")


class StudySpec(Settings):
    """A study.

    Attributes:
        settings: those of every run, but for what the study decides itself.
    """

    title: str = ""
    groups: list[Identifier] = Field([], description="groups that are compared, each a run of `cg`")
    tasks: list[Identifier] = Field([], description="tasks that are compared besides")
    paradigms: list[Identifier] = Field(
        ["ts", "cg", "au"],
        min_length=1,
        description="arms: ts, each task alone; cg, each group; au, all tasks; or any group's id",
    )
    all: Identifier = Field("all", description="the group that `au` trains")
    moe: Literal["paper", "both"] = Field(
        "paper", description="paper: off for ts, on for the others; both: each arm with and without"
    )
    seeds: list[Annotated[int, Field(ge=0)]] = Field([0, 1, 2], min_length=1)
    learning_rate: LearningRateSearch = LearningRateSearch()
    fractions: list[Fraction] = Field(
        [1.0], min_length=1, description="shares of the training images; smaller within larger"
    )
    budget: Budget = Budget()
    statistics: StatisticsSettings = StatisticsSettings()
    preset: Literal["small", "paper"] = Field("small", description="where `settings` start")
    settings: RunSettings

    @model_validator(mode="after")
    def _each_once(self) -> StudySpec:
        for key in ("groups", "tasks", "paradigms", "seeds", "fractions"):
            values = getattr(self, key)
            if len(set(values)) < len(values):
                raise ValueError(f"{key}: one is there twice")
        if not self.groups and not self.tasks:
            raise ValueError("nothing to compare: give groups, or tasks")
        return self

    def run_settings(
        self,
        tasks: list[str],
        *,
        seed: int,
        moe: bool,
        fraction: float,
        factor: float,
        splits: Mapping[str, Path],
    ) -> RunSettings:
        """The settings of one run. Raises ConfigError where a learning rate leaves its range."""
        values = self.settings.model_dump(mode="json")
        rates = values["optimizer"]["learning_rate"]
        own: dict[str, Any] = {
            "tasks": tasks,
            "seed": seed,
            "moe": {"enabled": "on" if moe else "off"},
            "split": {"fraction": fraction, "files": {k: str(v) for k, v in splits.items()}},
            "optimizer": {"learning_rate": {key: rate * factor for key, rate in rates.items()}},
            "task_weights": {t: w for t, w in values.pop("task_weights").items() if t in tasks},
            **self.length(len(tasks)),
        }
        try:
            return RunSettings.model_validate(merge(values, own))
        except ValidationError as error:
            told = f"learning-rate factor {factor:g}: "
            raise config_error(
                error, RunSettings, hint="See docs/how_to/study.md", told=told
            ) from None

    def length(self, tasks: int) -> dict[str, Any]:
        """How long a run of so many tasks trains, as settings. A budget in steps or images is cut
        into the settings' epochs, or somewhat fewer: they are then only the times at which the
        network is validated. Raises ConfigError for a budget that is too small."""
        chosen = self.budget
        epochs = chosen.epochs or self.settings.epochs
        if chosen.steps is not None:
            epochs, steps = _cut(chosen.steps, epochs)
            images = steps * self.settings.batch_size
            if images < tasks:
                raise ConfigError(
                    f"budget: {chosen.steps} steps in {epochs} epochs are {images} images an "
                    f"epoch, fewer than the {tasks} tasks of a network",
                    hint="Raise it, or lower settings.epochs.",
                )
            return {"epochs": epochs, "sampler": {"images_per_epoch": images}}
        if chosen.images is not None:
            epochs, images = _cut(chosen.images, epochs)
            drawn = {"kind": "uniform", "images_per_epoch": images * tasks}
            return {"epochs": epochs, "sampler": drawn}
        return {"epochs": epochs}

    def as_values(self) -> dict[str, Any]:
        """Plain values, as `load_study` reads them back."""
        values = self.model_dump(mode="json")
        for path in OWN:
            _drop(values["settings"], path)
        chosen = {key: value for key, value in values["budget"].items() if value is not None}
        values["budget"] = chosen or {"epochs": self.settings.epochs}
        if "epochs" in values["budget"]:
            del values["settings"]["epochs"]
        else:
            del values["settings"]["sampler"]["images_per_epoch"]
        if "images" in values["budget"]:
            del values["settings"]["sampler"]["kind"]
        return values


def _cut(amount: int, parts: int) -> tuple[int, int]:
    """(parts, size): equal parts, at most so many and at least half of that, whose sum is nearest
    to an amount."""
    parts = min(parts, amount)
    number = min(
        range(parts, (parts - 1) // 2, -1), key=lambda n: abs(n * round(amount / n) - amount)
    )
    return number, round(amount / number)


def _drop(values: dict[str, Any], path: tuple[str, ...]) -> None:
    *parents, last = path
    for key in parents:
        values = values.get(key, {})
    values.pop(last, None)
