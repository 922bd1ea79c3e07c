"""Tasks whose relations are known, because it is said which sign of a lesion each label tells.

Two tasks that ask for the same sign share what must be learnt. A task is misled by another that
asks for the sign with which its own training images are confounded: who can see that sign leans on
it, and fails where it says nothing. Tasks of other images and signs are unrelated.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from usmt import DataError, TaskSpec
from usmt_phantom.anatomy.lesion import Lesion, Probe, Sign
from usmt_phantom.casting import Casting

Side = Literal["train", "val", "test"]


class Planted(BaseModel):
    """How one task of two classes is drawn: class 1 where a lesion has a sign, 0 where it has not.

    Attributes:
        asks: the sign that the label tells: `bright` (else dark), `upright` (else flat), or
            `shadow` (else none).
        probe: `linear` or `convex`: what the images look like as a whole.
        varies: signs that come and go by chance, whatever the label is. The others are absent.
        errors: share of images, of all sides, whose label contradicts the sign.
        confounder: a sign that goes with the label in training images, and on validation and test
            images comes by chance.
        strength: share of the training images whose confounder goes with the label; in the others
            it comes by chance. 0: it says nothing, as in the test; 1: it is never wrong.
        train, val, test: images on each side: the split is a part of the task.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    asks: Sign
    probe: Probe = "linear"
    varies: list[Sign] = []
    errors: float = Field(default=0.0, ge=0, le=0.5)
    confounder: Sign | None = None
    strength: float = Field(default=1.0, ge=0, le=1)
    train: int = Field(ge=4, le=100_000)
    val: int = Field(default=60, ge=4, le=100_000)
    test: int = Field(default=120, ge=4, le=100_000)

    @model_validator(mode="after")
    def _signs_apart(self) -> Planted:
        if self.asks in (self.confounder, *self.varies):
            raise ValueError(f"'{self.asks}' is what the label tells already")
        return self

    @property
    def sides(self) -> list[Side]:
        """The side of each image, in the order of their indices."""
        images: dict[Side, int] = {"train": self.train, "val": self.val, "test": self.test}
        return [side for side, count in images.items() for _ in range(count)]

    def casting(self, task: TaskSpec, side: Side) -> Casting:
        """How the images of one side are drawn. Raises `DataError` for a task that is not a
        classification with two classes."""
        if task.type != "classification" or len(getattr(task, "classes", ())) != 2:
            raise DataError(
                f"data.phantom.planted.{task.id}: the task is no classification of two classes"
            )
        lesions = [Lesion(self.probe, self._chances(label, side)) for label in (0, 1)]
        return Casting("classification", 2, tuple((lesion, ()) for lesion in lesions), {})

    def _chances(self, label: int, side: Side) -> dict[Sign, float]:
        """How likely each sign is in images with a label."""
        chances: dict[Sign, float] = dict.fromkeys(self.varies, 0.5)
        if self.confounder is not None:
            followed = self.strength if side == "train" else 0.0
            chances[self.confounder] = 0.5 + (label - 0.5) * followed
        return {**chances, self.asks: abs(label - self.errors)}
