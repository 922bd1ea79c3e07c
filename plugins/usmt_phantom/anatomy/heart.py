"""The adult heart from its apex."""

from __future__ import annotations

import numpy as np

from usmt_phantom.anatomy.plan import Generator, Plan, phased
from usmt_phantom.scene import FLUID, Scene, Structure, Tissue
from usmt_phantom.shapes import Ellipse, Every, Path, Side, minus


def apical_four_chambers(plan: Plan, rng: Generator) -> Scene:
    """Left ventricle with its muscle and left atrium on the right of the image, the right heart
    on the left."""
    field = phased(plan, rng)
    h = plan.height
    tilt = np.pi / 2 + rng.uniform(-0.2, 0.2)
    half = rng.uniform(0.24, 0.29) * h
    width = half * rng.uniform(0.42, 0.55)
    cavity = Ellipse(rng.uniform(0.53, 0.6), rng.uniform(0.44, 0.48) * h, half, width, tilt)
    # The base of the ventricle is cut by the mitral valve; +u points to the base.
    valve = Side(cavity.at(0.72, -3), cavity.at(0.72, 3))
    ventricle = Every((cavity, _above(valve, cavity)))
    thickness = rng.uniform(0.04, 0.055)
    shell = Every((cavity.grown(thickness), _above(valve, cavity)))
    atrium = cavity.within(1.2, 0.05, 0.42, rng.uniform(0.8, 1.0))
    right = cavity.within(0.1, 1.85, 0.72, rng.uniform(0.6, 0.75), 0.18)
    right_atrium = cavity.within(1.2, 1.75, 0.4, 0.75)
    muscle = minus(shell, ventricle)
    leaflets = [
        Structure(
            Path((cavity.at(0.74, v), cavity.at(0.5, v * 0.25)), 0.004, 0.003),
            Tissue(6),
            wall=4,
            wall_width=0.004,
            diffuse=0.7,
        )
        for v in (-0.62, 0.62)
    ]
    atrium_free = minus(atrium, shell)
    structures = (
        Structure(cavity.within(0.4, 0.8, 1.75, 3.1), Tissue(-4, mottle=3), margin=0.03),
        Structure(right, FLUID, wall=0, diffuse=0.4),
        Structure(right_atrium, FLUID, wall=2, diffuse=0.4),
        Structure(atrium_free, FLUID, wall=6, diffuse=0.4),
        Structure(shell, Tissue(3, mottle=2), wall=3, wall_width=0.004),
        Structure(ventricle, FLUID, wall=1, wall_width=0.004),
        *leaflets,
    )
    regions = (("ventricle", ventricle), ("muscle", muscle), ("atrium", atrium_free))
    return Scene(field, structures, regions)


def _above(valve: Side, cavity: Ellipse) -> Side:
    """The side of the valve's plane on which the cavity's centre lies."""
    side = valve.distance(np.array(cavity.x), np.array(cavity.y))
    return valve if side < 0 else Side(valve.end, valve.start)
