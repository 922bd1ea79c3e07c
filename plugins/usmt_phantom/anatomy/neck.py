"""Thyroid and carotid artery, with a linear probe on the neck."""

from __future__ import annotations

import numpy as np

from usmt_phantom.anatomy.plan import Generator, Plan, linear, septa, wall_layers
from usmt_phantom.field import Below, Layer, Linear, Surface, wavy
from usmt_phantom.scene import AIR, FLUID, MUSCLE, Scene, Structure, Tissue
from usmt_phantom.shapes import AnyOf, Ellipse, blob


def thyroid(plan: Plan, rng: Generator) -> Scene:
    """A lobe between the trachea and the carotid, with a nodule: dark or light, with a dark halo,
    some with bright spots."""
    field = linear(plan, rng)
    h = plan.height
    side = 1 if rng.random() < 0.5 else -1
    lobe = Ellipse(
        0.5 + side * rng.uniform(0.0, 0.05),
        rng.uniform(0.46, 0.52) * h,
        rng.uniform(0.27, 0.32),
        rng.uniform(0.24, 0.28) * h,
        side * rng.uniform(-0.1, 0.25),
    )
    r = rng.uniform(0.075, 0.12)
    x, y = lobe.at(rng.uniform(-0.5, 0.5), rng.uniform(-0.3, 0.3))
    core = Ellipse(x, y, r, r * rng.uniform(0.7, 1.05), rng.uniform(-0.4, 0.4))
    nodule = blob(rng, core, 0.1, (2, 3, 5))
    echo = float(rng.choice([-17.0, -13.0, -26.0]))
    spots = [
        Structure(
            core.within(rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5), 0.08, 0.08),
            Tissue(10),
            wall=3,
        )
        for _ in range(int(rng.integers(0, 4)))
    ]
    structures = (
        *_strap_muscles(field, rng),
        Structure(lobe, Tissue(5, mottle=1.5), wall=8, wall_width=0.005, margin=0.012),
        *_trachea(0.5 - side * 0.47, 0.4 * h),
        Structure(Ellipse(0.5 + side * 0.4, 0.62 * h, 0.075, 0.07), FLUID, wall=8, diffuse=0.4),
        Structure(core.grown(0.014), Tissue(-10, mottle=1), margin=0.014),
        Structure(nodule, Tissue(echo, mottle=2, loss=-12), margin=0.012),
        *spots,
    )
    return Scene(field, structures, (("nodule", nodule),))


def carotid(plan: Plan, rng: Generator) -> Scene:
    """The lumen, dark between the bright lines of its walls: along the vessel or across it, with
    the flat jugular vein above."""
    field = linear(plan, rng)
    h = plan.height
    depth = rng.uniform(0.45, 0.58) * h
    radius = rng.uniform(0.07, 0.1)
    muscles = _strap_muscles(field, rng)
    if rng.random() < 0.5:
        x = rng.uniform(0.33, 0.67)
        a = radius * 1.2
        lumen = Ellipse(x, depth, a, a * rng.uniform(0.85, 1), rng.uniform(0, 3))
        side = 1 if rng.random() < 0.5 else -1
        vein = Ellipse(x + side * 0.16, depth - 0.13, 0.13, 0.04, side * 0.3)
        structures = (
            *muscles,
            Structure(vein, FLUID.brighter(4), wall=2, wall_width=0.004),
            Structure(lumen.grown(0.03), Tissue(-14, mottle=1), wall=12, diffuse=0.35),
            Structure(lumen, FLUID, wall=14, wall_width=0.005, diffuse=0.35),
        )
        return Scene(field, structures, (("lumen", lumen),))
    wave = (rng.uniform(0.3, 0.7), 0.02, rng.random())
    axis = Surface(depth, rng.uniform(-0.25, 0.25), (wave,))
    tube = Layer(field, axis, radius)
    structures = (
        *muscles,
        Structure(Layer(field, axis, radius + 0.03), Tissue(-17, mottle=1), wall=16),
        Structure(tube, FLUID, wall=14, wall_width=0.005),
    )
    return Scene(field, structures, (("lumen", tube),))


def _strap_muscles(field: Linear, rng: Generator) -> list[Structure]:
    h = field.height
    deep = Structure(Below(field, wavy(rng, 0.83 * h, 0.012)), MUSCLE, wall=11)
    return [
        *wall_layers(field, rng, fat=0.03, muscle=0.08),
        *septa(field, rng, (0.3 * h, 0.8 * h), 3),
        deep,
    ]


def _trachea(x: float, y: float) -> list[Structure]:
    ring = Ellipse(x, y + 0.16, 0.2, 0.17)
    rings = [
        Structure(ring.grown(-0.045 * n), None, wall=4 - 5 * n, wall_width=0.008) for n in (1, 2)
    ]
    air = Structure(ring, AIR.brighter(-22), wall=23, wall_width=0.009, diffuse=0.15)
    return [air, *rings]


def spinal_cord(plan: Plan, rng: Generator) -> Scene:
    """The exposed cord lengthwise: dura, dark fluid, grey cord with bright edges and central
    line; an injury swells the cord and is bright within."""
    field = linear(plan, rng)
    h = plan.height
    axis = Surface(
        rng.uniform(0.46, 0.56) * h,
        rng.uniform(-0.15, 0.15),
        ((rng.uniform(0.4, 0.8), 0.02, rng.random()),),
    )
    half = rng.uniform(0.085, 0.11)
    x = rng.uniform(0.22, 0.78)
    y = float(axis.at(np.array(x)))
    a = rng.uniform(0.07, 0.13)
    injury = blob(
        rng,
        Ellipse(x, y, a, half * rng.uniform(0.6, 0.95), float(np.arctan(axis.slope))),
        0.22,
        (2, 3, 5),
    )
    swollen = Ellipse(x, y, a * 1.9, half * 1.22, float(np.arctan(axis.slope)))
    cord = AnyOf((Layer(field, axis, half), swollen))
    structures = (
        *wall_layers(field, rng, fat=0.02, muscle=0.1),
        Structure(Below(field, axis.moved(-0.32 * h)), MUSCLE),
        Structure(Layer(field, axis, half + 0.065), FLUID.brighter(4), wall=14),
        Structure(Below(field, axis.moved(half + 0.1)), Tissue(-10, mottle=3, loss=30), wall=14),
        Structure(cord, Tissue(-13, mottle=1), wall=11, wall_width=0.005),
        Structure(Layer(field, axis, 0.0), None, wall=7, wall_width=0.005),
        Structure(injury, Tissue(rng.uniform(3, 8), mottle=4, loss=25), margin=0.02),
    )
    return Scene(field, structures, (("injury", injury),))
