"""A peripheral nerve beside its vessel, across, with a linear probe on a limb."""

from __future__ import annotations

import numpy as np

from usmt_phantom.anatomy.plan import Generator, Plan, linear, septa, wall_layers
from usmt_phantom.field import Below, wavy
from usmt_phantom.scene import FLUID, MUSCLE, Scene, Structure, Tissue
from usmt_phantom.shapes import Ellipse


def nerve(plan: Plan, rng: Generator) -> Scene:
    """A honeycomb of dark fascicles in a bright oval, and a round dark vessel on one side."""
    field = linear(plan, rng)
    h = plan.height
    side = 1 if rng.random() < 0.5 else -1
    a = rng.uniform(0.11, 0.15)
    oval = Ellipse(
        0.5 - side * rng.uniform(0.12, 0.18),
        rng.uniform(0.42, 0.58) * h,
        a,
        a * rng.uniform(0.55, 0.75),
        rng.uniform(-0.3, 0.3),
    )
    r = rng.uniform(0.07, 0.1)
    vessel = Ellipse(
        0.5 + side * rng.uniform(0.14, 0.22),
        oval.y + rng.uniform(-0.08, 0.08),
        r,
        r * rng.uniform(0.8, 1),
    )
    ring = rng.uniform(0, 2 * np.pi) + np.arange(6) * np.pi / 3
    places = [(0.0, 0.0), *((0.62 * np.cos(t), 0.62 * np.sin(t)) for t in ring)]
    fascicles = [
        Structure(oval.within(float(u), float(v), 0.17, 0.2), Tissue(-14, mottle=1))
        for u, v in places
    ]
    structures = (
        *wall_layers(field, rng, fat=0.05, muscle=0.0),
        Structure(Below(field, wavy(rng, 0.2 * h, 0.01)), MUSCLE, wall=8),
        *septa(field, rng, (0.25 * h, 0.9 * h), 4),
        Structure(oval, Tissue(11, mottle=1), wall=8, wall_width=0.005, diffuse=0.6),
        *fascicles,
        Structure(vessel, FLUID, wall=10, wall_width=0.005, diffuse=0.4),
    )
    return Scene(field, structures, (("nerve", oval), ("vessel", vessel)))
