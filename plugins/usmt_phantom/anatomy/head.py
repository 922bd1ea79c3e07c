"""The fetal head, alone or beside the pubic symphysis."""

from __future__ import annotations

import numpy as np

from usmt_phantom.anatomy.plan import Generator, Plan, convex, wall_layers
from usmt_phantom.field import Field
from usmt_phantom.scene import FLUID, Scene, Structure, Tissue
from usmt_phantom.shapes import Ellipse, Path, blob

EIGHT = tuple((f"turn_{k}",) for k in range(8))
"""Eighths of a turn, clockwise from the right of the image."""

_BRAIN = Tissue(-12, mottle=2.5)


def turn(plan: Plan, rng: Generator, jitter: float = 0.16) -> float:
    """The angle that a variant `turn_k` means, give or take `jitter` radians."""
    eighths = int(plan.variant.removeprefix("turn_"))
    return eighths * np.pi / 4 + rng.uniform(-jitter, jitter)


def womb(field: Field, head: Ellipse, rng: Generator) -> list[Structure]:
    """The wall of belly and womb, and a pocket of amniotic fluid about a head or trunk."""
    around = Ellipse(
        head.x + rng.uniform(-0.06, 0.06),
        head.y + rng.uniform(-0.03, 0.05),
        head.a + rng.uniform(0.02, 0.16),
        head.b + rng.uniform(0.01, 0.07),
        head.angle + rng.uniform(-0.4, 0.4),
    )
    return [
        *wall_layers(field, rng, fat=0.03, muscle=0.04),
        Structure(blob(rng, around, 0.2, (2, 3)), FLUID.brighter(4), wall=0, margin=0.02),
    ]


def skull(head: Ellipse, wall: float = 23) -> list[Structure]:
    """Brain within bone: bright where the bone faces the beam, faint at the sides."""
    return [
        Structure(head, Tissue(2, loss=30), wall=wall, wall_width=0.01, diffuse=0.12),
        Structure(head.grown(-0.018), _BRAIN),
    ]


def midline(head: Ellipse) -> list[Structure]:
    """The falx along the long axis, with the dark cavum in its front third."""
    falx = Path((head.at(-0.9, 0), head.at(0.9, 0)), 0.004, 0.004)
    return [
        Structure(falx, Tissue(12, mottle=1), wall=8, wall_width=0.004, diffuse=0.7),
        Structure(head.within(0.48, 0, 0.12, 0.07), FLUID, wall=2, wall_width=0.003),
    ]


def fetal_head(plan: Plan, rng: Generator) -> Scene:
    """An axial section: skull ellipse, midline, cavum, thalami, ventricles with choroid plexus.
    Points, on the outer edge of the skull: the left and right end of the long axis, then the
    upper and lower end of the short one; the latter alone when two points are asked."""
    field = convex(plan, rng)
    h = plan.height
    a = rng.uniform(0.2, 0.31)
    angle = rng.uniform(-0.6, 0.6) + (np.pi if rng.random() < 0.5 else 0)
    y = rng.uniform(0.48, 0.58) * h
    head = Ellipse(rng.uniform(0.4, 0.6), y, a, a * rng.uniform(0.72, 0.82), angle)
    thalami = [
        Structure(head.within(0.05, side * 0.2, 0.2, 0.16), _BRAIN.brighter(-6)) for side in (-1, 1)
    ]
    ventricles = [
        structure
        for side in (-1, 1)
        for structure in (
            Structure(head.within(-0.4, side * 0.42, 0.3, 0.13, side * 0.35), FLUID, wall=-2),
            Structure(head.within(-0.42, side * 0.42, 0.2, 0.09, side * 0.35), Tissue(4)),
        )
    ]
    parts = [*womb(field, head, rng), *skull(head), *thalami, *ventricles, *midline(head)]
    outline = head.grown(0.01)
    long = sorted((outline.at(-1, 0), outline.at(1, 0)))
    short = sorted((outline.at(0, -1), outline.at(0, 1)), key=lambda point: point[1])
    points = (*long, *short) if plan.count == 4 else tuple(short)
    return Scene(field, tuple(parts), (("head", outline),), points)


def head_position(plan: Plan, rng: Generator) -> Scene:
    """The face end of the head (two dark orbits) points to one of eight directions; the occiput,
    with the cerebellum, to the opposite one."""
    field = convex(plan, rng)
    h = plan.height
    a = rng.uniform(0.27, 0.33)
    head = Ellipse(
        rng.uniform(0.45, 0.55),
        rng.uniform(0.5, 0.56) * h,
        a,
        a * rng.uniform(0.76, 0.86),
        turn(plan, rng),
    )
    orbits = [
        Structure(
            head.within(0.56, side * 0.4, 0.2, 0.22),
            FLUID,
            wall=10,
            wall_width=0.006,
            diffuse=0.7,
        )
        for side in (-1, 1)
    ]
    cerebellum = [
        Structure(head.within(-0.62, side * 0.2, 0.14, 0.2), Tissue(2), wall=0) for side in (-1, 1)
    ]
    falx = Path((head.at(-0.35, 0), head.at(0.4, 0)), 0.004, 0.004)
    line = Structure(falx, Tissue(8), wall=4, wall_width=0.004, diffuse=0.7)
    parts = [*womb(field, head, rng), *skull(head), line, *cerebellum, *orbits]
    return Scene(field, tuple(parts), (("head", head.grown(0.01)),))


def head_and_symphysis(plan: Plan, rng: Generator) -> Scene:
    """A sagittal section through the perineum: the oval symphysis above on the left, the skull's
    arc beside it. Points: the upper and the lower end of the symphysis' long axis, and where the
    tangent from the lower end touches the leading side of the skull (angle of progression, Barbera
    et al., Ultrasound Obstet Gynecol 33 (2009))."""
    field = convex(plan, rng)
    h = plan.height
    a = rng.uniform(0.085, 0.12)
    bone = Ellipse(
        rng.uniform(0.25, 0.42),
        rng.uniform(0.26, 0.38) * h,
        a,
        a * rng.uniform(0.34, 0.46),
        rng.uniform(0.15, 0.85),
    )
    r = rng.uniform(0.18, 0.27)
    head = Ellipse(
        rng.uniform(0.48, 0.68),
        rng.uniform(0.6, 0.7) * h,
        r,
        r * rng.uniform(0.78, 0.95),
        rng.uniform(-0.6, 0.9),
    )
    upper, lower = bone.at(-1, 0), bone.at(1, 0)
    head = head.clear_of(lower)
    outline = head.grown(0.01)
    leading = max(outline.tangents(lower), key=lambda point: point[0] - point[1])
    structures = (
        *wall_layers(field, rng, fat=0.02, muscle=0.05),
        Structure(head, Tissue(2, loss=45), wall=25, wall_width=0.01, diffuse=0.12),
        Structure(head.grown(-0.02), Tissue(-13, mottle=3, loss=20)),
        Structure(bone.grown(0.014), Tissue(9, mottle=1), margin=0.012),
        Structure(bone, Tissue(-18, mottle=1, loss=25), wall=18, wall_width=0.006, diffuse=0.7),
    )
    regions = (("symphysis", bone), ("head", outline))
    return Scene(field, structures, regions, (upper, lower, leading))
