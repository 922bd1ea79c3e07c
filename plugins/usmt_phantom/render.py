"""From a scene to a B-mode image.

The signal is modelled at baseband: every sample holds a scatterer of random complex amplitude
(its phase is its position within a wavelength), scaled by the tissue's echogenicity; walls add
an echo that is half coherent, half scattered. The point-spread function is a separable Gaussian,
narrower in depth than across. The magnitude of the result is the envelope, with fully developed
(Rayleigh) speckle; its logarithm is shown. Wagner et al., Statistics of speckle
in ultrasound B-scans, IEEE Trans. Sonics Ultrason. 30 (1983).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from usmt_phantom.field import Beams
from usmt_phantom.scene import SOFT, Scene
from usmt_phantom.shapes import Plane


@dataclass(frozen=True, slots=True)
class Machine:
    """The scanner's settings.

    Attributes:
        gain: dB added to everything.
        depth_loss: dB lost over one scene unit that the depth gain does not make up for.
        dynamic_range: dB from black to white.
        axial, lateral: standard deviations of the point-spread function, scene units.
        noise: electronic noise, dB against plain soft tissue.
    """

    gain: float = 0.0
    depth_loss: float = 8.0
    dynamic_range: float = 56.0
    axial: float = 0.0042
    lateral: float = 0.0075
    noise: float = -36.0

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Machine:
        """Settings as they vary from scan to scan."""
        return cls(
            gain=rng.uniform(-4, 4),
            depth_loss=rng.uniform(3, 15),
            dynamic_range=rng.uniform(50, 62),
            axial=rng.uniform(0.0034, 0.0052),
            lateral=rng.uniform(0.006, 0.0095),
            noise=rng.uniform(-40, -32),
        )


def render(
    scene: Scene, height: int, width: int, machine: Machine, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The image, uint8 (height, width) grey; black outside of the field of view."""
    beams = scene.field.beams(height, width)
    echo, loss, walls = _paint(scene, beams, rng)
    received = echo - np.cumsum(loss + np.float32(machine.depth_loss), axis=0) * np.float32(
        beams.step
    )
    walls *= _amplitude(received - echo)
    axial = max(machine.axial / beams.step, 0.5)
    lateral = max(machine.lateral / beams.pitch, 0.5)
    # The filter averages about 4 pi sigma sigma scatterers: restore plain tissue to 0 dB.
    energy = np.float32(np.sqrt(4 * np.pi * axial * lateral))
    amplitude = (_amplitude(received) + np.float32(0.5) * walls) * energy
    signal = rng.standard_normal((*walls.shape, 2), dtype=np.float32)
    signal *= amplitude[..., None]
    signal[..., 0] += walls
    signal = cv2.GaussianBlur(signal, (0, 0), sigmaX=lateral, sigmaY=axial)
    envelope = np.hypot(signal[..., 0], signal[..., 1])
    envelope += np.float32(10 ** (machine.noise / 20))
    decibel = np.float32(20) * np.log10(envelope) + np.float32(machine.gain)
    # Plain tissue is shown somewhat below the middle of the grey scale.
    grey = (decibel + np.float32(0.4 * machine.dynamic_range)) * np.float32(
        255 / machine.dynamic_range
    )
    grey *= _focus(height)
    return np.clip(scene.field.scan_convert(grey), 0, 255).astype(np.uint8)


def _paint(scene: Scene, beams: Beams, rng: np.random.Generator) -> tuple[Plane, Plane, Plane]:
    """Echo and loss in dB, and the walls' coherent amplitude, each (depths, beams)."""
    shape = beams.x.shape
    mottle, fibres = _texture(shape, rng, (9, 9)), _texture(shape, rng, (56, 9))
    fibres = np.maximum(fibres, 0)
    echo = np.float32(SOFT.mottle) * mottle + np.float32(SOFT.fibres) * fibres
    loss = np.zeros(shape, np.float32)
    walls = np.zeros(shape, np.float32)
    for structure in scene.structures:
        distance = structure.shape.distance(beams.x, beams.y)
        if (tissue := structure.tissue) is not None:
            edge = np.float32(1 / max(structure.margin, beams.step))
            cover = np.clip(np.float32(0.5) - distance * edge, 0, 1)
            own = np.float32(tissue.echo) + np.float32(tissue.mottle) * mottle
            if tissue.fibres:
                own += np.float32(tissue.fibres) * fibres
            echo += cover * (own - echo)
            loss += cover * (np.float32(tissue.loss) - loss)
            walls *= 1 - cover
        if structure.wall is not None:
            width = np.float32(1 / max(structure.wall_width, 0.6 * beams.step))
            profile = np.exp(np.float32(-0.5) * np.square(distance * width))
            facing = np.abs(np.gradient(distance, beams.step, axis=0))
            facing = np.clip(facing, 0, 1) * (1 - structure.diffuse) + structure.diffuse
            walls += np.float32(10 ** (structure.wall / 20)) * profile * facing
    return echo, loss, walls


def _texture(shape: tuple[int, int], rng: np.random.Generator, cells: tuple[int, int]) -> Plane:
    """Smooth noise of mean 0 and deviation about 1, with `cells` bumps in depth and across."""
    coarse = rng.standard_normal(cells, dtype=np.float32)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC) * np.float32(1.3)


def _amplitude(decibel: Plane) -> Plane:
    return np.exp(decibel * np.float32(np.log(10) / 20))


def _focus(rows: int) -> Plane:
    """The first millimetres are dimmer than the focal zone; a factor by depth, (rows, 1)."""
    depth = (np.arange(rows, dtype=np.float32) + 0.5) / rows
    return (np.float32(1) - np.float32(0.25) * np.exp(-depth * 14))[:, None].astype(np.float32)
