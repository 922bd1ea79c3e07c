"""Fields of view: where the beams of a probe run, and how their echoes become an image.

Beam coordinates are (lateral, depth) in scene units, depth measured from the probe's face. All
physics happens on a grid of beams, depth first: there the point-spread function is separable, and
whatever weakens the sound adds up along one axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from usmt_phantom.shapes import Plane, Point


@dataclass(frozen=True, slots=True, eq=False)
class Beams:
    """Scene positions x, y of the samples (depths, beams), and their spacing in depth and, at
    half depth, across; scene units."""

    x: Plane
    y: Plane
    step: float
    pitch: float


def pixel_centres(height: int, width: int) -> tuple[Plane, Plane]:
    """x (1, W) and y (H, 1) of the pixels' centres in scene units."""
    x = (np.arange(width, dtype=np.float32) + np.float32(0.5)) / np.float32(width)
    y = (np.arange(height, dtype=np.float32) + np.float32(0.5)) / np.float32(width)
    return x[None, :], y[:, None]


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear array: parallel beams over the whole image, 1 wide and `height` high."""

    height: float

    def to_beam(self, x: Plane, y: Plane) -> tuple[Plane, Plane]:
        return x, y

    def from_beam(self, lateral: float, depth: float) -> Point:
        return lateral, depth

    def beams(self, height: int, width: int) -> Beams:
        x, y = np.broadcast_arrays(*pixel_centres(height, width))
        return Beams(np.ascontiguousarray(x), np.ascontiguousarray(y), 1 / width, 1 / width)

    def inside(self, height: int, width: int) -> NDArray[np.bool_]:
        return np.ones((height, width), bool)

    def scan_convert(self, echoes: Plane) -> Plane:
        return echoes


@dataclass(frozen=True, slots=True)
class Sector:
    """A curved or phased array: beams fan out from (0.5, `top` - `near`), `spread` radians to
    either side, from radius `near` to the bottom of the image."""

    height: float
    near: float
    spread: float
    top: float = 0.01

    @property
    def far(self) -> float:
        return self.height - self.top + self.near - 0.01

    def to_beam(self, x: Plane, y: Plane) -> tuple[Plane, Plane]:
        dx, dy = x - np.float32(0.5), y - np.float32(self.top - self.near)
        middle = np.float32((self.near + self.far) / 2)
        return np.arctan2(dx, dy) * middle + np.float32(0.5), np.hypot(dx, dy) - self.near

    def from_beam(self, lateral: float, depth: float) -> Point:
        angle = (lateral - 0.5) / ((self.near + self.far) / 2)
        radius = depth + self.near
        return (
            float(0.5 + radius * np.sin(angle)),
            float(self.top - self.near + radius * np.cos(angle)),
        )

    def beams(self, height: int, width: int) -> Beams:
        step = (self.far - self.near) / height
        radius = self.near + (np.arange(height, dtype=np.float32)[:, None] + 0.5) * step
        fan = 2 * self.spread / width
        angle = (np.arange(width, dtype=np.float32)[None, :] + 0.5) * fan - self.spread
        x = np.float32(0.5) + radius * np.sin(angle)
        y = np.float32(self.top - self.near) + radius * np.cos(angle)
        return Beams(
            x.astype(np.float32), y.astype(np.float32), step, fan * (self.near + self.far) / 2
        )

    def inside(self, height: int, width: int) -> NDArray[np.bool_]:
        return _sector_maps(self, height, width)[2]

    def scan_convert(self, echoes: Plane) -> Plane:
        import cv2

        column, row, inside = _sector_maps(self, *echoes.shape)
        image = cv2.remap(echoes, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.where(inside, image, np.float32(0))


Field = Linear | Sector


@lru_cache(maxsize=4)
def _sector_maps(field: Sector, height: int, width: int) -> tuple[Plane, Plane, NDArray[np.bool_]]:
    """For every pixel the beam column and depth row it is read from, and whether it is seen."""
    x, y = pixel_centres(height, width)
    dx, dy = x - np.float32(0.5), y - np.float32(field.top - field.near)
    angle, radius = np.arctan2(dx, dy), np.hypot(dx, dy)
    column = (angle + field.spread) * np.float32(width / (2 * field.spread)) - np.float32(0.5)
    row = (radius - field.near) * np.float32(height / (field.far - field.near)) - np.float32(0.5)
    inside = (radius >= field.near) & (radius <= field.far) & (np.abs(angle) <= field.spread)
    return column.astype(np.float32), row.astype(np.float32), inside


@dataclass(frozen=True, slots=True)
class Surface:
    """A wavy line across the beams: its depth at a lateral position u is
    `depth + slope (u - 1/2) + sum of amplitude sin(2 pi (frequency u + phase))`."""

    depth: float
    slope: float = 0.0
    waves: tuple[tuple[float, float, float], ...] = ()

    def at(self, lateral: Plane) -> Plane:
        depth = np.float32(self.depth) + np.float32(self.slope) * (lateral - np.float32(0.5))
        for frequency, amplitude, phase in self.waves:
            turns = np.float32(frequency) * lateral + np.float32(phase)
            depth = depth + np.float32(amplitude) * np.sin(np.float32(2 * np.pi) * turns)
        return depth

    def moved(self, by: float) -> Surface:
        return Surface(self.depth + by, self.slope, self.waves)


@dataclass(frozen=True, slots=True)
class Below:
    """Everything deeper than a surface."""

    field: Field
    surface: Surface

    def distance(self, x: Plane, y: Plane) -> Plane:
        lateral, depth = self.field.to_beam(x, y)
        return self.surface.at(lateral) - depth


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of the given half thickness about a surface."""

    field: Field
    surface: Surface
    half: float

    def distance(self, x: Plane, y: Plane) -> Plane:
        lateral, depth = self.field.to_beam(x, y)
        return np.abs(self.surface.at(lateral) - depth) - np.float32(self.half)


@dataclass(frozen=True, slots=True)
class Streak:
    """A stripe along the beams about one lateral position, as a comet tail is."""

    field: Field
    lateral: float
    half: float

    def distance(self, x: Plane, y: Plane) -> Plane:
        lateral, _ = self.field.to_beam(x, y)
        return np.abs(lateral - np.float32(self.lateral)) - np.float32(self.half)


def wavy(rng: np.random.Generator, depth: float, amplitude: float = 0.01) -> Surface:
    """A gently waving surface."""
    waves = tuple(
        (rng.uniform(*band), amplitude * share, rng.uniform(0, 1))
        for band, share in (((0.4, 1.2), 1.0), ((1.5, 3.5), 0.4))
    )
    return Surface(depth, rng.uniform(-4, 4) * amplitude, waves)
