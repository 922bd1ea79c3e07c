"""The dataset `phantom`: simulated B-mode images for any task, and their exact labels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, model_validator

from usmt import Dataset, DatasetCard, DatasetOptions, Identifier, Record, TaskSpec
from usmt_phantom import labels
from usmt_phantom.anatomy.plan import Generator
from usmt_phantom.casting import Casting, cast
from usmt_phantom.planted import Planted, Side
from usmt_phantom.scene import Scene


class PhantomOptions(DatasetOptions):
    """What `--data phantom` can be told."""

    images: int = Field(default=80, ge=10, le=100_000, description="images for each task")
    size: int = Field(
        default=128,
        ge=32,
        le=1024,
        description="width of an image in pixels; its height is three quarters of it to all of it",
    )
    seed: int = Field(default=0, ge=0, description="another seed gives other images")
    images_per_source: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="images of each patient: one scene, seen as often with other speckle and "
        "settings of the scanner",
    )
    planted: dict[Identifier, Planted] = Field(
        default={},
        description="tasks that are drawn so that their relations are known, by task id; they "
        "have numbers of images of their own",
    )

    @model_validator(mode="after")
    def _sources_keep_to_a_side(self) -> PhantomOptions:
        for task, planted in self.planted.items():
            for side in ("train", "val", "test"):
                if (images := getattr(planted, side)) % self.images_per_source:
                    raise ValueError(
                        f"planted.{task}.{side}: {images} images are no whole number of patients "
                        f"with {self.images_per_source} images each"
                    )
        return self


@dataclass(frozen=True, slots=True)
class Shot:
    """One image to be made: what is drawn, which of the task's patients it shows, which of the
    patient's images it is, its size, and the seed of the patient's random numbers."""

    casting: Casting
    patient: int
    view: int
    height: int
    width: int
    entropy: int

    def scene(self) -> Scene:
        """What lies before the probe; the same each time."""
        rng = self._generator(0)
        return self.casting.scene(self.patient, self.height / self.width, rng)

    def speckle(self) -> Generator:
        """The random numbers of the image itself, apart from those of the scene."""
        return self._generator(1 + self.view)

    def _generator(self, stream: int) -> Generator:
        return np.random.default_rng(np.random.SeedSequence((self.entropy, stream)))


class Phantom(Dataset):
    """Simulated images: what a task's images and labels look like, without any data.

    Every image is a function of the task's id, its index and the options. Classes are equally
    frequent, and labels have no noise, unless tasks are planted with some. The images are not
    real: nothing that is measured on them says anything about patients.
    """

    name: ClassVar[str] = "phantom"
    Options: ClassVar[type[DatasetOptions]] = PhantomOptions
    synthetic: ClassVar[bool] = True
    card: ClassVar[DatasetCard] = DatasetCard(
        title="Simulated ultrasound images for any task, with exact labels",
        organ="any",
        licence="Apache-2.0, as usmt: the images are made on this machine",
        obtain="Nothing to get: --data phantom, or no --data at all",
        sources="every image is of a patient of its own, unless images_per_source says otherwise",
        splits="none, but of planted tasks",
        files="none: each image is drawn when it is read",
    )
    options: PhantomOptions

    def records(self, task: TaskSpec) -> list[Record]:
        """`options.images` records. Raises `DataError` for a task that cannot be drawn."""
        planted = self.options.planted.get(task.id)
        if planted is None:
            casting = cast(task)
            return [self._record(task.id, casting, index) for index in range(self.options.images)]
        castings = {side: planted.casting(task, side) for side in set(planted.sides)}
        return [
            self._record(task.id, castings[side], index, side)
            for index, side in enumerate(planted.sides)
        ]

    def read_image(self, record: Record) -> np.ndarray:
        """The image, uint8 (H, W) grey."""
        from usmt_phantom.render import Machine, render

        shot: Shot = record.payload
        rng = shot.speckle()
        return render(shot.scene(), shot.height, shot.width, Machine.draw(rng), rng)

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        """The label, from the geometry of the scene; the image is not made for it."""
        shot: Shot = record.payload
        casting = shot.casting
        match casting.kind:
            case "classification":
                return shot.patient % casting.count
            case "segmentation":
                return labels.mask(shot.scene(), casting.parts, shot.height, shot.width)
            case "regression":
                return labels.points(shot.scene(), shot.width)
            case "detection":
                return labels.box(shot.scene(), shot.height, shot.width)

    def _record(
        self, task_id: str, casting: Casting, index: int, side: Side | None = None
    ) -> Record:
        shot = self._shot(task_id, casting, index)
        classified = casting.kind == "classification"
        return Record(
            task=task_id,
            key=f"{task_id}/{index:05d}",
            source_id=f"{task_id}/{index - shot.view:05d}",
            place=f"phantom {task_id} #{index}",
            stratum=str(shot.patient % casting.count) if classified else "",
            split=side,
            payload=shot,
        )

    def _shot(self, task_id: str, casting: Casting, index: int) -> Shot:
        patient, view = divmod(index, self.options.images_per_source)
        text = f"{task_id}:{patient}:{self.options.seed}"
        entropy = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
        width = self.options.size
        quarter = np.random.default_rng(entropy).uniform(0.75, 1.0)
        return Shot(casting, patient, view, round(width * float(quarter)), width, entropy)
