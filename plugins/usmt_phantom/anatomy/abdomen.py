"""Liver and kidney of an adult."""

from __future__ import annotations

import numpy as np

from usmt_phantom.anatomy.plan import Generator, Plan, convex, vessels, wall_layers
from usmt_phantom.field import Sector
from usmt_phantom.scene import FAT, FLUID, Scene, Structure, Tissue
from usmt_phantom.shapes import Ellipse, Outside, Path, blob, curve

LIVER = (("normal", "benign", "haemangioma", "hemangioma"), ("malignant", "lesion", "abnormal"))


def liver(plan: Plan, rng: Generator) -> Scene:
    """Variants: normal (here also benign: a small, even, bright haemangioma), malignant (a larger
    dark focus with a halo); "plain" has no focus."""
    field = convex(plan, rng)
    h = plan.height
    structures = liver_tissue(field, rng)
    if plan.variant == "plain":
        return Scene(field, tuple(structures))
    x, y = rng.uniform(0.36, 0.64), rng.uniform(0.4, 0.62) * h
    benign = plan.variant == "normal"
    r = rng.uniform(0.06, 0.085) if benign else rng.uniform(0.09, 0.14)
    core = Ellipse(x, y, r, r * rng.uniform(0.8, 1), rng.uniform(0, 3))
    focus = blob(rng, core, 0.06 if benign else 0.2, (2, 3, 5))
    if benign:
        structures.append(Structure(focus, Tissue(16, mottle=1, loss=-20), margin=0.012))
    else:
        structures.append(Structure(core.grown(0.022), Tissue(-16, mottle=1), margin=0.015))
        structures.append(Structure(focus, Tissue(-7, mottle=4), margin=0.015))
        structures.append(Structure(core.within(0.1, 0.1, 0.4, 0.35), Tissue(-17), margin=0.03))
    return Scene(field, tuple(structures), (("lesion", focus),))


def liver_tissue(field: Sector, rng: Generator) -> list[Structure]:
    """Even parenchyma, veins, and the bright arc of the diaphragm."""
    h = field.height
    confluence = rng.uniform(0.36, 0.64)
    veins = [
        Structure(
            Path(
                curve(
                    (0.5 + side * rng.uniform(0.1, 0.3), rng.uniform(0.35, 0.5) * h),
                    (0.5 + side * rng.uniform(0.05, 0.2), rng.uniform(0.5, 0.65) * h),
                    (confluence, 0.8 * h),
                    4,
                ),
                0.008,
                0.022,
            ),
            FLUID.brighter(5),
            wall=0,
            wall_width=0.004,
        )
        for side in (-1, 1)
    ]
    dome = Ellipse(0.5, 0.2 * h, 0.7, 0.64 * h, rng.uniform(-0.15, 0.15))
    return [
        *wall_layers(field, rng, fat=0.03, muscle=0.05),
        *veins,
        *vessels(rng, (0.3, 0.7), (0.3 * h, 0.75 * h), 3),
        Structure(Outside(dome), Tissue(-14, mottle=3, loss=20), wall=22, wall_width=0.008),
    ]


def kidney(plan: Plan, rng: Generator) -> Scene:
    """A bean: dark cortex with darker pyramids about the bright sinus."""
    field = convex(plan, rng)
    a = rng.uniform(0.26, 0.33)
    bean = Ellipse(
        rng.uniform(0.44, 0.56),
        rng.uniform(0.5, 0.58) * plan.height,
        a,
        a * rng.uniform(0.42, 0.52),
        rng.uniform(-0.5, 0.5),
    )
    pyramids = [
        Structure(bean.within(0.68 * np.cos(t), 0.68 * np.sin(t), 0.12, 0.2), Tissue(-18))
        for t in np.linspace(0, 2 * np.pi, 8, endpoint=False) + rng.uniform(0, 0.7)
    ]
    structures = (
        *wall_layers(field, rng, fat=0.03, muscle=0.06),
        Structure(bean.grown(0.03), FAT.brighter(14), margin=0.03),
        Structure(bean, Tissue(-9, mottle=1), wall=7),
        *pyramids,
        Structure(blob(rng, bean.within(0, 0, 0.58, 0.42), 0.25, (2, 4, 6)), Tissue(9, mottle=3)),
    )
    return Scene(field, structures, (("kidney", bean),))
