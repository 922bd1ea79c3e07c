"""Cervix, uterus and ovary, seen from the vagina."""

from __future__ import annotations

import numpy as np

from usmt_phantom.anatomy.plan import Generator, Plan, endocavity
from usmt_phantom.scene import FLUID, Scene, Structure, Tissue
from usmt_phantom.shapes import Above, Ellipse, Every, Outside, Path, Shape, blob, curve


def cervix(plan: Plan, rng: Generator) -> Scene:
    """A sagittal section: the canal from the internal os (at the fluid about the fetal head, on
    the left) to the external os, between two lips. Points: internal os, external os. Regions: the
    whole cervix, or its anterior (upper) and posterior (lower) lip when three classes are asked."""
    field = endocavity(plan, rng)
    h = plan.height
    half = rng.uniform(0.14, 0.23)
    body = Ellipse(
        rng.uniform(0.44, 0.66),
        rng.uniform(0.38, 0.56) * h,
        half,
        half * rng.uniform(0.55, 0.7),
        rng.uniform(-0.45, 0.45),
    )
    inner, outer = body.at(-0.9, 0), body.at(0.9, 0)
    bow = body.at(0, rng.uniform(-0.5, 0.5))
    line = curve(inner, bow, outer)
    canal = Path(line, 0.014, 0.01)
    # What lies above the canal: its line prolonged to both sides, closed far above the body.
    lips = _lips(body, line)
    head = Ellipse(*body.at(-2.35, 0.3), 0.2, 0.18, 0.3)
    fluid = blob(rng, Ellipse(*body.at(-1.55, 0.05), 0.16, 0.2, body.angle), 0.15, (2, 3))
    funnel = Path((body.at(-1.15, 0), body.at(-0.88, 0)), 0.035, 0.012)
    # The lips gape at the external os: bright mucus, and a dark cleft of the vagina behind it.
    cleft = Path((body.at(1.06, 0), body.at(1.5, 0.05)), 0.02, 0.012)
    structures = (
        Structure(Ellipse(0.5, -0.06, 0.4, 0.16), Tissue(3, mottle=2), margin=0.03),
        Structure(Ellipse(*body.at(-0.5, -2.0), 0.13, 0.06, -0.2), FLUID, wall=2),
        Structure(body.grown(0.022), Tissue(8, mottle=2), margin=0.025),
        Structure(body, Tissue(-12, mottle=2), wall=6, wall_width=0.004),
        Structure(fluid, FLUID, wall=3),
        Structure(head, Tissue(-12, loss=40), wall=22, wall_width=0.01, diffuse=0.1),
        Structure(funnel, FLUID),
        Structure(canal, Tissue(9, mottle=1), margin=0.012),
        Structure(Path(line, 0.007, 0.005), FLUID, wall=12, wall_width=0.004, diffuse=0.7),
        Structure(cleft, Tissue(-22, mottle=1), margin=0.01),
        Structure(Ellipse(*outer, 0.022, 0.022), Tissue(15, mottle=1), margin=0.01),
    )
    regions: tuple[tuple[str, Shape], ...] = (("cervix", body),)
    if plan.count == 3:
        regions = (("anterior", lips[0]), ("posterior", lips[1]))
    return Scene(field, structures, regions, (inner, outer))


def _lips(body: Ellipse, line: tuple[tuple[float, float], ...]) -> tuple[Shape, Shape]:
    """The body above and below the canal's line."""
    above = Above((body.at(-3, 0), *line, body.at(3, 0)))
    return Every((body, above)), Every((body, Outside(above)))


def uterus(plan: Plan, rng: Generator) -> Scene:
    """A pear with a bright endometrium, and a fibroid: round, dark, whorled, with some shadow."""
    field = endocavity(plan, rng)
    h = plan.height
    a = rng.uniform(0.3, 0.36)
    body = Ellipse(
        0.5 + rng.uniform(-0.06, 0.06),
        0.52 * h,
        a,
        a * 0.68,
        rng.uniform(-0.35, 0.35),
    )
    neck = body.within(1.05, 0.1, 0.5, 0.5, 0.2)
    lining = Path((body.at(-0.5, 0), body.at(0.1, 0.03), body.at(0.8, 0.06)), 0.03, 0.012)
    side = 1 if rng.random() < 0.5 else -1
    r = rng.uniform(0.26, 0.42)
    place = (rng.uniform(-0.55, 0.4), side * rng.uniform(0.4, 0.55))
    fibroid = body.within(*place, r, r * rng.uniform(1.1, 1.4))
    whorls = [
        Structure(
            fibroid.within(rng.uniform(-0.4, 0.4), rng.uniform(-0.4, 0.4), 0.3, 0.12, t),
            Tissue(-10),
            margin=0.02,
        )
        for t in rng.uniform(-1.5, 1.5, 3)
    ]
    structures = (
        Structure(body, Tissue(0, mottle=2), wall=6, wall_width=0.006),
        Structure(neck, Tissue(0, mottle=2)),
        Structure(lining, Tissue(11, mottle=1), margin=0.02),
        Structure(fibroid, Tissue(-17, mottle=1, loss=45), wall=4, wall_width=0.005, diffuse=0.5),
        *whorls,
    )
    around = Structure(body.grown(0.05), Tissue(7, mottle=3), margin=0.05)
    return Scene(field, (around, *structures), (("fibroid", fibroid),))


def ovary(plan: Plan, rng: Generator) -> Scene:
    """An ovary with small follicles and a tumour: a cyst, plain, with septa or with a solid
    nodule."""
    field = endocavity(plan, rng)
    h = plan.height
    a = rng.uniform(0.14, 0.24)
    core = Ellipse(
        rng.uniform(0.4, 0.6),
        rng.uniform(0.42, 0.55) * h,
        a,
        a * rng.uniform(0.65, 0.9),
        rng.uniform(0, np.pi),
    )
    tumour = blob(rng, core, 0.14, (2, 3, 5))
    stroma = Ellipse(*core.at(0.5, 0.4), a + 0.07, a * 0.9 + 0.05, core.angle + 0.3)
    follicles = [
        Structure(
            Ellipse(*stroma.at(0.88 * np.cos(t), 0.88 * np.sin(t)), 0.018, 0.016), FLUID, wall=-2
        )
        for t in rng.uniform(0, 2 * np.pi, 4)
    ]
    content = Tissue(float(rng.choice([-32, -20])), mottle=1, loss=-38)
    structures = (
        Structure(stroma.grown(0.05), Tissue(6, mottle=3), margin=0.06),
        Structure(stroma, Tissue(-4, mottle=2), margin=0.02),
        *follicles,
        Structure(tumour, content, wall=9, wall_width=0.007, diffuse=0.4),
        *_cyst_content(core, rng),
    )
    return Scene(field, structures, (("tumour", tumour),))


def _cyst_content(core: Ellipse, rng: Generator) -> list[Structure]:
    kind = rng.integers(3)
    if kind == 0:
        return []
    if kind == 1:
        return [
            Structure(
                Path((core.at(-0.9 * c, -0.9 * s), core.at(0.9 * c, 0.9 * s)), 0.004, 0.004),
                Tissue(0),
                wall=4,
                wall_width=0.003,
                margin=0.004,
                diffuse=0.7,
            )
            for t in rng.uniform(0, np.pi, 2)
            for c, s in ((np.cos(t), np.sin(t)),)
        ]
    return [Structure(core.within(-0.6, 0.1, 0.3, 0.35), Tissue(0, mottle=3), margin=0.015)]
