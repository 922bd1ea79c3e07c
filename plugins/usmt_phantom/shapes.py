"""Shapes in the plane of a scene, each known by its signed distance.

Positions are in scene units: the image is 1 wide, x points right, y down, (0, 0) is the top left
corner. A distance is negative inside. Its sign is exact, its size right to first order near the
outline, which is all that margins and walls need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.floating[Any]]
Point = tuple[float, float]
_TINY = np.float32(1e-6)


class Shape(Protocol):
    """A region of the plane."""

    def distance(self, x: Plane, y: Plane) -> Plane:
        """Signed distance at positions x, y (arrays that broadcast), negative inside."""


@dataclass(frozen=True, slots=True)
class Ellipse:
    """Half axes `a` along `angle` (radians, clockwise as seen) and `b` across it."""

    x: float
    y: float
    a: float
    b: float
    angle: float = 0.0

    def distance(self, x: Plane, y: Plane) -> Plane:
        u, v = self._unit(x, y)
        k = np.sqrt(u * u + v * v)
        slope = np.sqrt((u / np.float32(self.a)) ** 2 + (v / np.float32(self.b)) ** 2)
        return np.where(k < 1e-3, np.float32(-min(self.a, self.b)), k * (k - 1) / (slope + _TINY))

    def at(self, u: float, v: float) -> Point:
        """The position that lies (u, v) half axes from the centre."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        along, across = u * self.a, v * self.b
        return (
            float(self.x + along * cos - across * sin),
            float(self.y + along * sin + across * cos),
        )

    def within(self, u: float, v: float, a: float, b: float, turn: float = 0.0) -> Ellipse:
        """A smaller ellipse at (u, v) half axes from the centre, its own half axes `a`, `b` in
        units of this one's, turned by `turn` against it."""
        x, y = self.at(u, v)
        return Ellipse(x, y, a * self.a, b * self.b, self.angle + turn)

    def grown(self, by: float) -> Ellipse:
        """Half axes longer by `by`."""
        return Ellipse(self.x, self.y, self.a + by, self.b + by, self.angle)

    def tangents(self, point: Point) -> tuple[Point, Point]:
        """Where the two tangents through an outside point touch."""
        far, direction = self._polar(point)
        spread = float(np.arccos(1 / far))
        first, second = direction - spread, direction + spread
        return self.at(np.cos(first), np.sin(first)), self.at(np.cos(second), np.sin(second))

    def clear_of(self, point: Point, radii: float = 1.2) -> Ellipse:
        """The same ellipse, moved away from a point until that lies `radii` of its own radii from
        the centre."""
        push = max(1.0, radii / self._polar(point)[0])
        x, y = (p + push * (c - p) for p, c in zip(point, (self.x, self.y), strict=True))
        return Ellipse(x, y, self.a, self.b, self.angle)

    def _polar(self, point: Point) -> tuple[float, float]:
        """Radius and angle of a point in the plane in which the ellipse is the unit circle."""
        u, v = self._unit(np.array(point[0]), np.array(point[1]))
        return float(np.hypot(u, v)), float(np.arctan2(v, u))

    def _unit(self, x: Plane, y: Plane) -> tuple[Plane, Plane]:
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        dx, dy = x - np.float32(self.x), y - np.float32(self.y)
        u = (dx * cos + dy * sin) / np.float32(self.a)
        v = (dy * cos - dx * sin) / np.float32(self.b)
        return u, v


@dataclass(frozen=True, slots=True)
class Blob:
    """An ellipse whose radius waves: `waves` are (order, relative amplitude, phase)."""

    core: Ellipse
    waves: tuple[tuple[int, float, float], ...]

    def distance(self, x: Plane, y: Plane) -> Plane:
        u, v = self.core._unit(x, y)
        theta = np.arctan2(v, u)
        radius = np.ones_like(theta)
        for order, amplitude, phase in self.waves:
            radius += np.float32(amplitude) * np.cos(np.float32(order) * theta + np.float32(phase))
        mean = np.float32((self.core.a * self.core.b) ** 0.5)
        return (np.sqrt(u * u + v * v) - radius) * mean


@dataclass(frozen=True, slots=True)
class Path:
    """A tube around a line through points, as wide as the radii at its two ends say."""

    points: tuple[Point, ...]
    start: float
    end: float

    def distance(self, x: Plane, y: Plane) -> Plane:
        radii = np.linspace(self.start, self.end, len(self.points), dtype=np.float32)
        nearest: Plane | None = None
        for i, ((px, py), (qx, qy)) in enumerate(
            zip(self.points[:-1], self.points[1:], strict=True)
        ):
            dx, dy = np.float32(qx - px), np.float32(qy - py)
            rx, ry = x - np.float32(px), y - np.float32(py)
            t = np.clip((rx * dx + ry * dy) / (dx * dx + dy * dy + _TINY), 0, 1)
            across = np.hypot(rx - t * dx, ry - t * dy) - (radii[i] + t * (radii[i + 1] - radii[i]))
            nearest = across if nearest is None else np.minimum(nearest, across)
        assert nearest is not None, "a path has at least two points"
        return nearest


def curve(start: Point, control: Point, end: Point, pieces: int = 6) -> tuple[Point, ...]:
    """Points along a quadratic Bezier curve, both ends included."""
    t = np.linspace(0, 1, pieces + 1)[:, None]
    points = (1 - t) ** 2 * start + 2 * t * (1 - t) * np.array(control) + t**2 * np.array(end)
    return tuple((float(x), float(y)) for x, y in points)


@dataclass(frozen=True, slots=True)
class Every:
    """Inside all of the shapes."""

    shapes: tuple[Shape, ...]

    def distance(self, x: Plane, y: Plane) -> Plane:
        distances = [shape.distance(x, y) for shape in self.shapes]
        return np.asarray(np.maximum.reduce(np.broadcast_arrays(*distances)))


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Inside at least one of the shapes."""

    shapes: tuple[Shape, ...]

    def distance(self, x: Plane, y: Plane) -> Plane:
        distances = [shape.distance(x, y) for shape in self.shapes]
        return np.asarray(np.minimum.reduce(np.broadcast_arrays(*distances)))


@dataclass(frozen=True, slots=True)
class Outside:
    """The complement."""

    shape: Shape

    def distance(self, x: Plane, y: Plane) -> Plane:
        return -self.shape.distance(x, y)


@dataclass(frozen=True, slots=True)
class Side:
    """The half plane on the left of a line, for one who walks from `start` to `end` with y down:
    a line from left to right has it above."""

    start: Point
    end: Point

    def distance(self, x: Plane, y: Plane) -> Plane:
        dx, dy = self.end[0] - self.start[0], self.end[1] - self.start[1]
        length = float(np.hypot(dx, dy))
        nx, ny = np.float32(-dy / length), np.float32(dx / length)
        return (x - np.float32(self.start[0])) * nx + (y - np.float32(self.start[1])) * ny


@dataclass(frozen=True, slots=True)
class Above:
    """What lies above a line through points that run from left to right."""

    points: tuple[Point, ...]

    def distance(self, x: Plane, y: Plane) -> Plane:
        xs, ys = np.array(self.points, np.float32).T
        return (y - np.interp(x, xs, ys)).astype(np.float32)


def minus(shape: Shape, *holes: Shape) -> Shape:
    """The shape without the holes."""
    return Every((shape, *(Outside(hole) for hole in holes)))


def blob(rng: np.random.Generator, core: Ellipse, roughness: float, orders: Sequence[int]) -> Blob:
    """A random outline about an ellipse; `roughness` is the most that a wave of order 2 can have,
    relative to the radius. Higher orders have less, or they would draw stars."""
    shares = rng.dirichlet(np.ones(len(orders)))
    phases = rng.uniform(0, 2 * np.pi, len(orders))
    waves = zip(orders, shares, phases, strict=True)
    return Blob(
        core,
        tuple(
            (order, float(roughness * share * 2 / order), float(phase))
            for order, share, phase in waves
        ),
    )
