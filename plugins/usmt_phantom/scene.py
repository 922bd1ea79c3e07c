"""A scene: what lies before the probe, in continuous coordinates, and what of it is labelled.

Image and label both come from the scene, so they agree exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from usmt_phantom.field import Field
from usmt_phantom.shapes import Point, Shape


@dataclass(frozen=True, slots=True)
class Tissue:
    """How a tissue sounds.

    Attributes:
        echo: backscatter in dB against plain soft tissue.
        mottle: coarse unevenness, dB.
        fibres: bright streaks along the surface, dB.
        loss: what the echo loses on its way through, dB for one scene unit, beyond what the
            depth gain makes up for; negative for fluid, behind which tissue looks brighter.
    """

    echo: float = 0.0
    mottle: float = 3.0
    fibres: float = 0.0
    loss: float = 0.0

    def brighter(self, by: float) -> Tissue:
        """The same with `by` dB more backscatter."""
        return replace(self, echo=self.echo + by)


SOFT = Tissue(mottle=3, fibres=4)
FLUID = Tissue(echo=-34, mottle=1, loss=-32)
BONE = Tissue(echo=8, mottle=1, loss=420)
AIR = Tissue(echo=10, mottle=1, loss=420)
SKIN = Tissue(echo=8, mottle=1)
FAT = Tissue(echo=-10, mottle=3, fibres=10)
MUSCLE = Tissue(echo=-11, mottle=2, fibres=11)
GLAND = Tissue(echo=5, mottle=4, fibres=4)


@dataclass(frozen=True, slots=True)
class Structure:
    """One thing in the scene; later ones are painted over earlier ones.

    Attributes:
        shape: where it is.
        tissue: what fills it; None leaves what is there (a wall alone).
        wall: echo of its outline where it faces the beam, dB; None for no wall.
        wall_width: half thickness of the wall, scene units.
        diffuse: share of the wall's echo that does not depend on the beam's angle, 0 to 1.
        margin: width over which its edge blends into the surroundings, scene units.
    """

    shape: Shape
    tissue: Tissue | None = SOFT
    wall: float | None = None
    wall_width: float = 0.006
    diffuse: float = 0.25
    margin: float = 0.008


@dataclass(frozen=True, slots=True)
class Scene:
    """What the probe sees.

    Attributes:
        field: the field of view.
        structures: painted in order over plain soft tissue.
        regions: (name, shape) of what a mask or a box shows, painted in order.
        points: landmarks, scene units.
    """

    field: Field
    structures: tuple[Structure, ...]
    regions: tuple[tuple[str, Shape], ...] = ()
    points: tuple[Point, ...] = ()
