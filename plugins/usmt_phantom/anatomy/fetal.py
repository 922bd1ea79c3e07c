"""The fetus below the head: abdomen, thorax with heart, femur, sacrum."""

from __future__ import annotations

import numpy as np

from usmt_phantom.anatomy.head import turn, womb
from usmt_phantom.anatomy.plan import Generator, Plan, convex, wall_layers
from usmt_phantom.scene import BONE, FAT, FLUID, MUSCLE, Scene, Structure, Tissue
from usmt_phantom.shapes import Ellipse, Every, Outside, Path, Shape, blob, curve

_TRUNK = Tissue(-6, mottle=2)


def _spine(trunk: Ellipse) -> list[Structure]:
    """Three bright centres of a vertebra, at the trunk's -u end, around the dark canal."""
    spots = [
        Structure(trunk.within(u, v, 0.06, 0.06), BONE, wall=14, diffuse=0.8)
        for u, v in ((-0.88, -0.11), (-0.88, 0.11), (-0.66, 0.0))
    ]
    return [Structure(trunk.within(-0.79, 0, 0.06, 0.06), FLUID), *spots]


def _trunk(plan: Plan, rng: Generator, angle: float, size: tuple[float, float]) -> Ellipse:
    a = rng.uniform(*size)
    return Ellipse(
        rng.uniform(0.44, 0.56),
        rng.uniform(0.5, 0.56) * plan.height,
        a,
        a * rng.uniform(0.84, 0.95),
        angle,
    )


def _skin(trunk: Ellipse) -> list[Structure]:
    return [
        Structure(trunk, Tissue(5, mottle=1), wall=9, wall_width=0.008, diffuse=0.3),
        Structure(trunk.grown(-0.02), _TRUNK),
    ]


def fetal_abdomen(plan: Plan, rng: Generator) -> Scene:
    """A transverse section: liver, stomach bubble, umbilical vein, aorta beside the spine."""
    field = convex(plan, rng)
    # The spine lies to the lower left or right; u runs from the spine to the belly.
    trunk = _trunk(plan, rng, rng.uniform(-2.3, -0.8), (0.25, 0.31))
    within = trunk.grown(-0.035)
    # Liver on the side v > 0 and across the front.
    liver: Shape = Every((within, trunk.within(0.3, 0.5, 0.85, 0.62, -0.35)))
    stomach = trunk.within(
        rng.uniform(-0.12, 0.12),
        rng.uniform(-0.52, -0.42),
        rng.uniform(0.22, 0.32),
        rng.uniform(0.15, 0.2),
        rng.uniform(-0.5, 0.5),
    )
    vein = Path(curve(trunk.at(0.74, 0.02), trunk.at(0.3, 0.02), trunk.at(0.12, 0.42)), 0.02, 0.025)
    artery = trunk.within(-0.42, rng.uniform(-0.08, 0.02), 0.13, 0.13)
    liver = Every((liver, Outside(stomach)))
    structures = (
        *womb(field, trunk, rng),
        *_skin(trunk),
        Structure(liver, Tissue(7, mottle=1.5), wall=3),
        *_spine(trunk),
        Structure(stomach, FLUID.brighter(-4), wall=0),
        Structure(vein, FLUID, wall=7, wall_width=0.005, diffuse=0.5),
        Structure(artery, FLUID, wall=6, wall_width=0.004, diffuse=0.5),
    )
    regions = (("liver", liver), ("stomach", stomach), ("vein", vein), ("artery", artery))
    return Scene(field, structures, regions)


def fetal_heart(plan: Plan, rng: Generator) -> Scene:
    """A four-chamber view within the thorax, between the lungs."""
    field = convex(plan, rng)
    trunk = _trunk(plan, rng, rng.uniform(-2.6, -0.5), (0.27, 0.33))
    axis = rng.uniform(0.6, 0.95) * (1 if rng.random() < 0.5 else -1)
    heart = trunk.within(0.16, 0.1 * np.sign(axis), 0.6, 0.52, axis)
    ribs = [
        Structure(
            Path(
                tuple(trunk.at(0.93 * np.cos(t), 0.93 * np.sin(t)) for t in (s, s + 0.35, s + 0.7)),
                0.006,
                0.006,
            ),
            BONE,
            wall=12,
            diffuse=0.5,
        )
        for s in (1.2, -1.9)
    ]
    structures = (
        *womb(field, trunk, rng),
        *_skin(trunk),
        Structure(trunk.grown(-0.04), Tissue(6, mottle=1.5)),
        *ribs,
        *_spine(trunk),
        *four_chambers(heart),
    )
    return Scene(field, structures, (("heart", heart),))


def four_chambers(heart: Ellipse) -> list[Structure]:
    """Two ventricles towards +u, two atria towards -u, septum and valves between."""
    chambers = [
        Structure(heart.within(u, v, a, b, t), FLUID, wall=0, wall_width=0.004, diffuse=0.5)
        for u, v, a, b, t in (
            (0.28, -0.4, 0.46, 0.3, 0.16),
            (0.28, 0.4, 0.46, 0.3, -0.16),
            (-0.52, -0.36, 0.28, 0.28, 0.0),
            (-0.52, 0.36, 0.28, 0.28, 0.0),
        )
    ]
    wall = Structure(heart, Tissue(-6, mottle=1), wall=3, wall_width=0.005, diffuse=0.4)
    return [wall, *chambers]


def fetal_femur(plan: Plan, rng: Generator) -> Scene:
    """A thigh with the bright, slightly bowed shaft and its shadow. Points: the left and the
    right end of the shaft."""
    field = convex(plan, rng)
    h = plan.height
    half = rng.uniform(0.14, 0.25)
    angle = rng.uniform(-0.6, 0.6)
    x, y = rng.uniform(0.36, 0.64), rng.uniform(0.42, 0.66) * h
    dx, dy = half * np.cos(angle), half * np.sin(angle)
    bow = rng.uniform(-0.05, 0.01)
    left, right = (x - dx, y - dy), (x + dx, y + dy)
    middle = (x - bow * np.sin(angle), y + bow * np.cos(angle))
    shaft = Path(curve(left, middle, right, 5), 0.011, 0.011)
    thigh = Ellipse(x, y, half + 0.1, 0.15, angle)
    # Fluid on one side of the thigh more than on the other.
    around = Ellipse(x + rng.uniform(-0.1, 0.1), y - 0.04, half + 0.15, 0.19, angle)
    ends = [
        Structure(Ellipse(px, py, 0.05, 0.05), Tissue(-17, mottle=1), wall=-2)
        for px, py in ((left[0] - 0.035, left[1]), (right[0] + 0.035, right[1]))
    ]
    structures = (
        *wall_layers(field, rng, fat=0.03, muscle=0.05),
        Structure(blob(rng, around, 0.25, (2, 3)), FLUID.brighter(5), wall=0, margin=0.02),
        Structure(thigh, FAT, wall=6, diffuse=0.4),
        Structure(thigh.grown(-0.03), MUSCLE),
        *ends,
        Structure(shaft, BONE.brighter(8), wall=24, wall_width=0.01, diffuse=0.6),
    )
    return Scene(field, structures, (("femur", shaft),), (left, right))


def sacrum(plan: Plan, rng: Generator) -> Scene:
    """A fetal pelvis: the sacrum's bright triangle and the wings of the ilium in a V point to one
    of eight directions; the dark bladder lies opposite."""
    field = convex(plan, rng)
    trunk = _trunk(plan, rng, turn(plan, rng) + np.pi, (0.26, 0.32))
    wings = [
        Structure(
            Path((trunk.at(-0.5, side * 0.22), trunk.at(0.0, side * 0.62)), 0.012, 0.018),
            BONE,
            wall=16,
            wall_width=0.01,
            diffuse=0.7,
        )
        for side in (-1, 1)
    ]
    bladder = trunk.within(0.5, 0, rng.uniform(0.24, 0.3), rng.uniform(0.22, 0.3))
    structures = (
        *womb(field, trunk, rng),
        *_skin(trunk),
        *wings,
        *_spine(trunk),
        Structure(bladder, FLUID, wall=2),
    )
    return Scene(field, structures, (("sacrum", trunk.within(-0.8, 0, 0.22, 0.22)),))
