"""Which training images come in which batch: tasks mixed, no image preferred.

Each task's images form an endless stream: one shuffled pass after another, which goes on where
the last epoch left it. An epoch draws a fixed number of images from each stream and mixes them, so
that every image of a task is seen within `epochs_to_see_all` epochs, whatever the sampler. A run of
fewer epochs never sees some: `unseen` says how many.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

SamplerKind = Literal["proportional", "uniform", "temperature"]


@dataclass(frozen=True, slots=True)
class Draw:
    """One image to load: the task, the image's index among the task's training records, and the
    seed of its augmentation."""

    task: str
    index: int
    seed: tuple[int, ...]


class MixingSampler:
    """Plans the batches of each epoch, the same in every process.

    Args:
        sizes: number of training images by task.
        batch_size: images in a batch; the batches of an epoch differ by one at most.
        kind: how many images an epoch draws from each task: `proportional`, as many as it has;
            `uniform`, the same for all; `temperature`, in proportion to size^(1/temperature).
            To within one, as the total is `images_per_epoch`; each task has at least one.
        temperature: 1 is proportional, large is uniform.
        images_per_epoch: images that an epoch draws, over all tasks, at least as many as tasks;
            None: as many as there are.
        seed: of the shuffling.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        batch_size: int,
        *,
        kind: SamplerKind = "proportional",
        temperature: float = 2.0,
        images_per_epoch: int | None = None,
        seed: int = 0,
    ) -> None:
        self.sizes = dict(sizes)
        self.batch_size = batch_size
        self.seed = seed
        exponent = {"proportional": 1.0, "uniform": 0.0, "temperature": 1 / temperature}[kind]
        weights = {task: size**exponent for task, size in self.sizes.items()}
        self.quotas = _quotas(weights, images_per_epoch or sum(self.sizes.values()))
        self.epoch = 0
        self._drawn = dict.fromkeys(self.sizes, 0)

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return math.ceil(sum(self.quotas.values()) / self.batch_size)

    @property
    def epochs_to_see_all(self) -> int:
        """After so many epochs every training image has been seen."""
        return max(math.ceil(self.sizes[task] / self.quotas[task]) for task in self.sizes)

    def unseen(self, epochs: int) -> dict[str, int]:
        """How many images of each task are never drawn in the first `epochs` epochs."""
        return {
            task: max(0, size - epochs * self.quotas[task]) for task, size in self.sizes.items()
        }

    def preview(self) -> list[list[Draw]]:
        """The batches of the next epoch, without moving on."""
        state = self.state_dict()
        batches = self.next_epoch()
        self.load_state_dict(state)
        return batches

    def next_epoch(self) -> list[list[Draw]]:
        """The batches of the next epoch; moves the state on."""
        draws = [draw for task in self.sizes for draw in self._next(task)]
        order = self._rng("mix", self.epoch).permutation(len(draws))
        mixed = [draws[i] for i in order]
        self.epoch += 1
        bounds = np.linspace(0, len(mixed), self.steps + 1).round().astype(int)
        return [mixed[a:b] for a, b in itertools.pairwise(bounds)]

    def _next(self, task: str) -> list[Draw]:
        size, first = self.sizes[task], self._drawn[task]
        self._drawn[task] = first + self.quotas[task]
        draws = []
        shuffled: dict[int, np.ndarray] = {}
        for position in range(first, first + self.quotas[task]):
            turn, place = divmod(position, size)
            if turn not in shuffled:
                shuffled[turn] = self._rng(task, turn).permutation(size)
            seed = (self.seed, _number(task), position)
            draws.append(Draw(task, int(shuffled[turn][place]), seed))
        return draws

    def _rng(self, name: str, count: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, _number(name), count])

    def state_dict(self) -> dict[str, Any]:
        """Plain values: the epoch, and how far each task's stream has been read."""
        return {"epoch": self.epoch, "drawn": dict(self._drawn), "sizes": dict(self.sizes)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where `state_dict` was taken. Raises ValueError if the data differ."""
        if state["sizes"] != self.sizes:
            raise ValueError(
                f"the sampler was saved for tasks of sizes {state['sizes']}, not {self.sizes}"
            )
        self.epoch = int(state["epoch"])
        self._drawn = {task: int(state["drawn"][task]) for task in self.sizes}


def _quotas(weights: Mapping[str, float], total: int) -> dict[str, int]:
    """`total` images shared out by weight: rounded, at least one each, and then corrected by one
    where rounding was furthest off, until the sum is right."""
    norm = sum(weights.values())
    ideal = {task: total * weight / norm for task, weight in weights.items()}
    quotas = {task: max(1, round(share)) for task, share in ideal.items()}
    while (lack := total - sum(quotas.values())) != 0:
        step = 1 if lack > 0 else -1
        open_ = [task for task in quotas if quotas[task] + step >= 1]
        quotas[max(open_, key=lambda task: step * (ideal[task] - quotas[task]))] += step
    return quotas


def _number(name: str) -> int:
    """A task's number in seeds: from its name, so that other tasks do not change it."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
