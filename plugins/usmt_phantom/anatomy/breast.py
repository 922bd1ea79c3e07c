"""The breast: skin, fat lobules, gland and muscle, with or without a lesion."""

from __future__ import annotations

import numpy as np

from usmt_phantom.anatomy.plan import Generator, Plan, linear, septa
from usmt_phantom.field import Below, Linear, wavy
from usmt_phantom.scene import FAT, GLAND, MUSCLE, SKIN, Scene, Structure, Tissue
from usmt_phantom.shapes import AnyOf, Ellipse, Path, Shape, blob

VARIANTS = (("normal", "healthy"), ("benign",), ("malignant", "cancer"))
LESIONS = VARIANTS[1:]


def breast(plan: Plan, rng: Generator) -> Scene:
    """Variants: normal, benign (smooth, wider than tall, brighter behind), malignant (irregular,
    taller than wide, shadow behind)."""
    field = linear(plan, rng)
    h = plan.height
    layers = breast_layers(field, rng)
    if plan.variant == "normal":
        return Scene(field, tuple(layers))
    x, y = rng.uniform(0.25, 0.75), rng.uniform(0.36, 0.55) * h
    draw = _malignant if plan.variant == "malignant" else _benign
    structures, lesion = draw(x, y, rng)
    return Scene(field, (*layers, *structures), (("lesion", lesion),))


def breast_layers(field: Linear, rng: Generator) -> list[Structure]:
    """Skin, subcutaneous fat, gland, retromammary fat, pectoral muscle, rib line."""
    h = field.height
    fat, gland = rng.uniform(0.14, 0.24) * h, rng.uniform(0.62, 0.72) * h
    muscle = gland + rng.uniform(0.04, 0.08) * h
    return [
        Structure(Below(field, wavy(rng, 0.0, 0.0)), SKIN),
        Structure(Below(field, wavy(rng, 0.035, 0.002)), FAT, wall=6),
        *septa(field, rng, (0.06, fat), 2),
        Structure(Below(field, wavy(rng, fat, 0.025)), GLAND, wall=10),
        *septa(field, rng, (fat + 0.03, gland), 4),
        Structure(Below(field, wavy(rng, gland, 0.015)), FAT),
        Structure(Below(field, wavy(rng, muscle, 0.008)), MUSCLE, wall=13),
        Structure(Below(field, wavy(rng, 0.93 * h, 0.01)), Tissue(-20, loss=40), wall=12),
    ]


def _benign(x: float, y: float, rng: Generator) -> tuple[list[Structure], Shape]:
    a = rng.uniform(0.09, 0.16)
    core = Ellipse(x, y, a, a * rng.uniform(0.5, 0.75), rng.uniform(-0.25, 0.25))
    lesion = blob(rng, core, 0.05, (2, 3))
    inside = Tissue(rng.uniform(-26, -15), mottle=1, loss=-55)
    return [Structure(lesion, inside, wall=9, wall_width=0.005)], lesion


def _malignant(x: float, y: float, rng: Generator) -> tuple[list[Structure], Shape]:
    b = rng.uniform(0.065, 0.1)
    core = Ellipse(x, y, b, b * rng.uniform(1.25, 1.6), rng.uniform(-0.25, 0.25))
    body = blob(rng, core, 0.6, (3, 5, 7))
    spicules = tuple(
        Path((core.at(0, 0), core.at(float(np.cos(t)) * r, float(np.sin(t)) * r)), 0.03, 0.004)
        for t, r in zip(rng.uniform(0, 2 * np.pi, 5), rng.uniform(1.2, 1.6, 5), strict=True)
    )
    lesion = AnyOf((body, *spicules))
    halo = Structure(core.grown(0.045), Tissue(7, mottle=3), margin=0.06)
    inside = Tissue(rng.uniform(-26, -19), mottle=2, loss=rng.uniform(50, 80))
    return [halo, Structure(lesion, inside, margin=0.016)], lesion
