"""A lesion whose signs come with known probabilities: what tasks with known relations ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from usmt_phantom.anatomy.plan import Generator, Plan, convex, linear, septa, wall_layers
from usmt_phantom.scene import Scene, Structure, Tissue
from usmt_phantom.shapes import Ellipse

Probe = Literal["linear", "convex"]
Sign = Literal["bright", "upright", "shadow"]
SIGNS: tuple[Sign, ...] = ("bright", "upright", "shadow")


@dataclass(frozen=True)
class Lesion:
    """Draws a lesion in layered tissue (see `plan.Draw`).

    Attributes:
        probe: what the images look like as a whole.
        chances: how likely it has each sign: brighter than the tissue and not darker, taller than
            wide and not wider than tall, a shadow behind it and not none. 0 where not given.
    """

    probe: Probe
    chances: Mapping[Sign, float]

    def __call__(self, plan: Plan, rng: Generator) -> Scene:
        present = {sign: rng.random() < self.chances.get(sign, 0.0) for sign in SIGNS}
        field = linear(plan, rng) if self.probe == "linear" else convex(plan, rng)
        layers = wall_layers(field, rng, fat=0.02, muscle=0.03)
        lines = septa(field, rng, (0.2 * plan.height, 0.9 * plan.height), 3)
        long = rng.uniform(0.24, 0.28)
        short = long * rng.uniform(0.45, 0.6)
        outline = Ellipse(
            rng.uniform(0.46, 0.54),
            rng.uniform(0.48, 0.56) * plan.height,
            short if present["upright"] else long,
            long if present["upright"] else short,
            rng.uniform(-0.25, 0.25),
        )
        echo = rng.uniform(13, 18) if present["bright"] else rng.uniform(-28, -18)
        tissue = Tissue(echo, mottle=1, loss=200.0 if present["shadow"] else 0.0)
        body = Structure(outline, tissue, wall=4, wall_width=0.004)
        return Scene(field, (*layers, *lines, body))
