"""Labels, from the geometry of a scene."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from usmt_phantom.field import pixel_centres
from usmt_phantom.scene import Scene


def mask(scene: Scene, parts: Mapping[str, int], height: int, width: int) -> NDArray[np.uint8]:
    """Class ids (height, width), 0 the background: the class of the region that holds the pixel's
    centre, within the field of view. `parts` maps the regions' names to classes."""
    x, y = pixel_centres(height, width)
    classes = np.zeros((height, width), np.uint8)
    for name, shape in scene.regions:
        classes[shape.distance(x, y) < 0] = parts[name]
    classes[~scene.field.inside(height, width)] = 0
    return classes


def box(scene: Scene, height: int, width: int) -> NDArray[np.float64]:
    """x_min, y_min, x_max, y_max: the edges of the pixels that belong to the scene's region."""
    (name, _), *_ = scene.regions
    rows, columns = np.nonzero(mask(scene, {name: 1}, height, width))
    return np.array(
        [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], dtype=np.float64
    )


def points(scene: Scene, width: int) -> NDArray[np.float64]:
    """The landmarks (P, 2) in pixels, the centre of the top left pixel being (0, 0)."""
    return np.array(scene.points, dtype=np.float64) * width - 0.5
