"""What an anatomy is asked for, and the parts that all anatomies share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from usmt_phantom.field import Below, Field, Layer, Linear, Sector, wavy
from usmt_phantom.scene import FAT, FLUID, MUSCLE, SKIN, SOFT, Scene, Structure
from usmt_phantom.shapes import Ellipse

Generator = np.random.Generator


@dataclass(frozen=True, slots=True)
class Plan:
    """What to draw.

    Attributes:
        height: of the image, in scene units (its width is 1).
        variant: which of the anatomy's variants; "" where it has none.
        count: classes (background included) or points that the task has.
    """

    height: float
    variant: str = ""
    count: int = 0


Draw = Callable[[Plan, Generator], Scene]


def convex(plan: Plan, rng: Generator) -> Sector:
    """A curved abdominal probe: a wide fan with a gently curved face."""
    return Sector(plan.height, rng.uniform(0.28, 0.5), rng.uniform(0.6, 0.72))


def phased(plan: Plan, rng: Generator) -> Sector:
    """A phased array: the fan starts almost at a point."""
    return Sector(plan.height, 0.04, rng.uniform(0.62, 0.75))


def endocavity(plan: Plan, rng: Generator) -> Sector:
    """A probe with a small, strongly curved face and a very wide fan."""
    return Sector(plan.height, rng.uniform(0.09, 0.13), rng.uniform(0.95, 1.15))


def linear(plan: Plan, rng: Generator) -> Linear:
    """A linear array."""
    return Linear(plan.height)


def wall_layers(
    field: Field, rng: Generator, *, skin: float = 0.03, fat: float = 0.05, muscle: float = 0.05
) -> list[Structure]:
    """Skin, fat and muscle under the probe; thicknesses in scene units."""
    depth = skin + fat
    return [
        Structure(Below(field, wavy(rng, 0.0, 0.0)), SKIN),
        Structure(Below(field, wavy(rng, skin, 0.002)), FAT, wall=2),
        Structure(Below(field, wavy(rng, depth, 0.005)), MUSCLE, wall=8, wall_width=0.004),
        Structure(Below(field, wavy(rng, depth + muscle, 0.006)), SOFT, wall=10, wall_width=0.004),
    ]


def septa(field: Field, rng: Generator, depths: tuple[float, float], count: int) -> list[Structure]:
    """Thin bright lines across the beams, as fasciae are."""
    return [
        Structure(
            Layer(field, wavy(rng, rng.uniform(*depths), 0.02), 0.0),
            None,
            wall=rng.uniform(8, 16),
            wall_width=0.003,
        )
        for _ in range(count)
    ]


def vessels(
    rng: Generator, x: tuple[float, float], y: tuple[float, float], count: int
) -> list[Structure]:
    """Small dark cross-sections of vessels."""
    return [
        Structure(
            Ellipse(
                rng.uniform(*x),
                rng.uniform(*y),
                rng.uniform(0.012, 0.03),
                rng.uniform(0.008, 0.014),
                rng.uniform(-0.6, 0.6),
            ),
            FLUID,
            wall=-4,
            wall_width=0.003,
        )
        for _ in range(count)
    ]
