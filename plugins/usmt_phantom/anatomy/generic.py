"""Scenes for tasks that no anatomy is known for: the label is drawn into plain tissue."""

from __future__ import annotations

import math

import numpy as np

from usmt_phantom.anatomy.plan import Generator, Plan, convex, linear, septa, wall_layers
from usmt_phantom.field import Field
from usmt_phantom.scene import BONE, FLUID, Scene, Structure, Tissue
from usmt_phantom.shapes import Ellipse, Point, blob, curve

_VERTEBRA = Tissue(20, mottle=1, loss=150)
_RIM = Tissue(-24, mottle=1)
KINDS = 6
MOST_CLASSES = 60
"""Classes that can be told apart: KINDS sorts of structures, up to ten of a sort."""


def tissue(plan: Plan, rng: Generator) -> Scene:
    """Plain layered tissue with nothing to find."""
    field: Field = linear(plan, rng) if rng.random() < 0.5 else convex(plan, rng)
    h = plan.height
    layers = wall_layers(field, rng, fat=0.02, muscle=0.03)
    return Scene(field, (*layers, *septa(field, rng, (0.2 * h, 0.9 * h), 3)))


def classes(plan: Plan, rng: Generator) -> Scene:
    """Class k shows k // KINDS + 1 structures of sort k % KINDS."""
    scene = tissue(plan, rng)
    number = int(plan.variant)
    places = _grid(number // KINDS + 1, plan.height, rng)
    sort = _SORTS[number % KINDS]
    found = tuple(structure for x, y, room in places for structure in sort(x, y, room, rng))
    return Scene(scene.field, (*scene.structures, *found))


def regions(plan: Plan, rng: Generator) -> Scene:
    """One structure for each class but the background, each in its own part of the image, dark
    and bright by turns."""
    scene = tissue(plan, rng)
    structures, found = list(scene.structures), []
    for k, (x, y, room) in enumerate(_grid(max(plan.count - 1, 1), plan.height, rng)):
        r = room * rng.uniform(0.7, 1)
        core = Ellipse(x, y, r, r * rng.uniform(0.7, 1), rng.uniform(0, np.pi))
        shape = blob(rng, core, 0.14, (2, 3, 5))
        inside = (FLUID, Tissue(14, mottle=1), Tissue(-17, mottle=1), Tissue(12, mottle=4))[k % 4]
        structures.append(Structure(shape, inside, wall=5, wall_width=0.005, diffuse=0.6))
        found.append((f"part_{k + 1}", shape))
    return Scene(scene.field, tuple(structures), tuple(found))


def landmarks(plan: Plan, rng: Generator) -> Scene:
    """A chain of bright bodies along a bent line, as vertebrae are; the points are their centres,
    from left to right. A single point is the centre of one body."""
    scene = tissue(plan, rng)
    h = plan.height
    y = rng.uniform(0.4, 0.62) * h
    start = (rng.uniform(0.2, 0.28), y + rng.uniform(-0.12, 0.12))
    end = (rng.uniform(0.72, 0.8), y + rng.uniform(-0.12, 0.12))
    bend = (rng.uniform(0.4, 0.6), y + rng.uniform(-0.18, 0.18))
    if plan.count == 1:
        points: tuple[Point, ...] = ((rng.uniform(0.25, 0.75), y),)
    else:
        points = curve(start, bend, end, plan.count - 1)
    radius = min(0.036, max(0.012, 0.14 / plan.count))
    # A dark rim sets each body off, however bright the tissue about it is.
    rims = [
        Structure(Ellipse(px, py, 2.2 * radius, 2 * radius), _RIM, margin=0.5 * radius)
        for px, py in points
    ]
    bodies = [
        Structure(Ellipse(px, py, radius, radius * 0.8), _VERTEBRA, wall=20, diffuse=0.8)
        for px, py in points
    ]
    return Scene(scene.field, (*scene.structures, *rims, *bodies), (), points)


def _grid(count: int, height: float, rng: Generator) -> list[tuple[float, float, float]]:
    """(x, y, room) of `count` places, row by row in the middle of the image, where every field of
    view sees them; `room` is a radius that stays clear of the neighbours."""
    columns = round(math.sqrt(count * 1.2))
    rows = math.ceil(count / columns)
    left, right, top, bottom = 0.2, 0.8, 0.28 * height, 0.86 * height
    across, down = (right - left) / columns, (bottom - top) / rows
    room = min(0.42 * min(across, down), 0.16)
    aside, deeper = 0.5 * across - room, 0.5 * down - room
    return [
        (
            left + (k % columns + 0.5) * across + rng.uniform(-aside, aside),
            top + (k // columns + 0.5) * down + rng.uniform(-deeper, deeper),
            room,
        )
        for k in range(count)
    ]


def _cyst(x: float, y: float, room: float, rng: Generator) -> list[Structure]:
    r = room * rng.uniform(0.75, 1)
    return [Structure(Ellipse(x, y, r, r * 0.9), FLUID, wall=6, wall_width=0.005)]


def _solid(x: float, y: float, room: float, rng: Generator) -> list[Structure]:
    core = Ellipse(x, y, room, room * 0.85, rng.uniform(0, 3))
    return [Structure(blob(rng, core, 0.15, (2, 3, 5)), Tissue(17, mottle=1))]


def _stone(x: float, y: float, room: float, rng: Generator) -> list[Structure]:
    return [Structure(Ellipse(x, y, room * 0.5, room * 0.25), BONE.brighter(6), wall=18)]


def _target(x: float, y: float, room: float, rng: Generator) -> list[Structure]:
    ring = Ellipse(x, y, room, room * 0.9)
    return [
        Structure(ring, Tissue(-20, mottle=1)),
        Structure(ring.within(0, 0, 0.5, 0.5), Tissue(11, mottle=1)),
    ]


def _upright(x: float, y: float, room: float, rng: Generator) -> list[Structure]:
    return [Structure(Ellipse(x, y, room * 0.32, room), Tissue(-24, mottle=1))]


def _flat(x: float, y: float, room: float, rng: Generator) -> list[Structure]:
    return [Structure(Ellipse(x, y, room, room * 0.32), Tissue(-24, mottle=1))]


_SORTS = (_cyst, _solid, _stone, _target, _upright, _flat)
