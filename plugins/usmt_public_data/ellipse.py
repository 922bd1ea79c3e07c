"""The ellipse that a drawn line follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from usmt import ellipse_circumference


@dataclass(frozen=True, slots=True)
class Ellipse:
    """In pixels; (0, 0) is the centre of the top left pixel.

    Attributes:
        x, y: its centre.
        a, b: half axes; `a` lies in the direction of `angle`, `b` across.
        angle: in radians, from the x axis towards the y axis.
    """

    x: float
    y: float
    a: float
    b: float
    angle: float

    @property
    def circumference(self) -> float:
        return ellipse_circumference(2 * max(self.a, self.b), 2 * min(self.a, self.b))

    def mask(self, size: tuple[int, int]) -> np.ndarray:
        """uint8 (H, W): 1 where a pixel's centre is inside."""
        rows, columns = np.mgrid[: size[0], : size[1]]
        return (self._radius(columns, rows) <= 1).astype(np.uint8)

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Of points, (n, 2) x and y, from the line, (n,): along the ray from the centre."""
        radius = np.maximum(self._radius(points[:, 0], points[:, 1]), 1e-9)
        reach = np.hypot(points[:, 0] - self.x, points[:, 1] - self.y)
        return np.abs(1 - 1 / radius) * reach

    def _radius(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """0 in the centre, 1 on the line."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        along = (x - self.x) * cos + (y - self.y) * sin
        across = (y - self.y) * cos - (x - self.x) * sin
        return np.hypot(along / self.a, across / self.b)


def fitted_ellipse(points: np.ndarray) -> Ellipse | None:
    """By least squares (Fitzgibbon, Pilu and Fisher, IEEE TPAMI 21 (1999) 476), through points
    (n, 2), x and y; None if they have none."""
    import cv2

    if len(points) < 5:
        return None
    (x, y), (along, across), degrees = cv2.fitEllipseDirect(points.astype(np.float32))
    ellipse = Ellipse(x, y, along / 2, across / 2, float(np.deg2rad(degrees)))
    return ellipse if min(ellipse.a, ellipse.b) > 0 and np.isfinite(x + y) else None
