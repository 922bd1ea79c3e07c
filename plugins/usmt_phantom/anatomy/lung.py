"""The lung: chest wall, ribs, pleural line, and the artefacts or consolidation beneath it."""

from __future__ import annotations

from usmt_phantom.anatomy.plan import Generator, Plan, convex, linear, wall_layers
from usmt_phantom.field import Below, Field, Layer, Streak, Surface
from usmt_phantom.scene import BONE, Scene, Structure, Tissue
from usmt_phantom.shapes import AnyOf, Ellipse, Every, Shape, blob

A_LINES = ("a_line", "normal", "regular", "healthy", "negative", "dry")
CONSOLIDATION = ("consolidat", "pneumonia", "bacterial")
B_LINES = ("b_line", "interstitial", "covid", "viral", "oedema", "edema", "wet", "abnormal")
VARIANTS = (A_LINES, CONSOLIDATION, B_LINES)
TWO = (A_LINES, (*B_LINES, "disease", "positive", "patholog", *CONSOLIDATION))
FINDINGS = (CONSOLIDATION, B_LINES)

Signs = tuple[list[Structure], tuple[Shape, ...]]
"""What is seen beneath the pleural line, and the outlines of what is a finding."""

_AERATED = Tissue(-15, mottle=2, loss=6)


def lung(plan: Plan, rng: Generator) -> Scene:
    """Variants: a_line (repeats of the pleural line), consolidat (a tissue-like area with bright
    air bronchograms and a shredded border), b_line (bright stripes to the bottom). The region is
    the finding: the consolidated area, or the stripes."""
    field: Field = linear(plan, rng) if rng.random() < 0.5 else convex(plan, rng)
    h = plan.height
    depth = rng.uniform(0.2, 0.3) * h
    pleura = Surface(depth, rng.uniform(-0.06, 0.06), ((1.0, 0.006, rng.random()),))
    aerated = Below(field, pleura)
    structures = [
        *wall_layers(field, rng, fat=depth * 0.25, muscle=depth * 0.3),
        Structure(aerated, _AERATED),
    ]
    artefacts = {"a_line": _a_lines, "consolidat": _consolidation, "b_line": _b_lines}
    signs, found = artefacts[plan.variant or "a_line"](field, pleura, rng)
    ribs = _ribs(field, depth, rng)
    regions = (("finding", AnyOf(found)),) if found else ()
    return Scene(field, (*structures, *signs, *ribs), regions)


def _line(field: Field, surface: Surface, wall: float) -> Structure:
    return Structure(Layer(field, surface, 0.0), None, wall=wall, wall_width=0.007, diffuse=0.6)


def _ribs(field: Field, pleura: float, rng: Generator) -> list[Structure]:
    """Mostly two ribs at the sides above the pleural line, the bat sign; shadow behind."""
    sides = (rng.uniform(0.02, 0.1), rng.uniform(0.9, 0.98))
    ribs = []
    for side in sides:
        if rng.random() < 0.7:
            x, y = field.from_beam(side, pleura * 0.72)
            ribs.append(Structure(Ellipse(x, y, 0.075, 0.025), BONE, wall=16))
    return ribs


def _a_lines(field: Field, pleura: Surface, rng: Generator) -> Signs:
    repeats = [
        Structure(
            Layer(field, pleura.moved(pleura.depth * n), 0.0),
            None,
            wall=9 - 4 * n,
            wall_width=0.008,
            diffuse=0.7,
        )
        for n in (1, 2, 3)
    ]
    return [_line(field, pleura, 19), *repeats], ()


def _b_lines(field: Field, pleura: Surface, rng: Generator) -> Signs:
    places = rng.permutation([0.2, 0.35, 0.5, 0.65, 0.8])[: int(rng.integers(2, 5))]
    below = Below(field, pleura)
    stripes = tuple(
        Every((Streak(field, float(x + rng.uniform(-0.05, 0.05)), rng.uniform(0.02, 0.045)), below))
        for x in places
    )
    bright = [
        Structure(stripe, Tissue(rng.uniform(3, 8), mottle=1, loss=2), margin=0.035)
        for stripe in stripes
    ]
    return [*bright, _line(field, pleura, 16)], stripes


def _consolidation(field: Field, pleura: Surface, rng: Generator) -> Signs:
    lateral = rng.uniform(0.35, 0.65)
    size = rng.uniform(0.2, 0.3)
    x, y = field.from_beam(lateral, pleura.depth + size * 0.45)
    core = Ellipse(x, y, size, size * 0.75, rng.uniform(-0.3, 0.3))
    area = Every((blob(rng, core, 0.3, (2, 3, 5, 7)), Below(field, pleura.moved(0.006))))
    air = [
        Structure(
            core.within(
                rng.uniform(-0.6, 0.6),
                rng.uniform(-0.2, 0.6),
                rng.uniform(0.06, 0.14),
                0.05,
                rng.uniform(-0.8, 0.8),
            ),
            Tissue(14, mottle=1, loss=60),
        )
        for _ in range(5)
    ]
    signs = [
        _line(field, pleura, 12),
        Structure(area, Tissue(-3, mottle=3, loss=-20), wall=10, wall_width=0.009, diffuse=0.7),
        *air,
    ]
    return signs, (area,)
