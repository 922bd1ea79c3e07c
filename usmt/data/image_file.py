"""Image files as pixels: read completely or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from usmt.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 100_000_000


def read_image(path: Path) -> np.ndarray:
    """An image as uint8, (H, W) grey or (H, W, 3) RGB.

    16-bit pixels are scaled by 255 / 65535, palettes resolved, transparency dropped, and the
    orientation that EXIF states is applied. Raises `DataError` for what is not one whole image.
    """
    image = _open(path)
    if image.mode in ("L", "RGB"):
        return np.array(image)
    if image.mode in ("1", "LA", "La"):
        return np.array(image.convert("L"))
    if image.mode.startswith("I"):
        return _from_16_bits(path, np.array(image))
    if image.mode == "F":
        raise DataError(f"{path.name}: pixels are floats, expected 8 or 16 bits")
    return np.array(image.convert("RGB"))


def read_mask(path: Path, classes: int) -> np.ndarray:
    """A mask as class ids, uint8 (H, W): grey values, or the indexes of a palette.

    Raises `DataError` where it is not clear which number is meant.
    """
    image = _open(path)
    pixels = np.array(image)
    if image.mode == "P":
        _check_palette(path, image, pixels, classes)
    if pixels.ndim == 3:
        pixels = _one_channel(path, pixels, alpha=image.mode in ("LA", "RGBA"))
    if pixels.dtype.kind not in "bui" or pixels.min() < 0 or pixels.max() > 255:
        raise DataError(f"{path.name}: mask has values beyond 0 to 255, expected class ids")
    return pixels.astype(np.uint8)


def _open(path: Path) -> Image:
    """The file's only frame, decoded and upright."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                size = f"{image.width} x {image.height}"
                raise DataError(f"{path.name}: {size} pixels, expected at most {MAX_PIXELS:,}")
            # A photograph's MPO holds previews, which are no second image.
            if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
                raise DataError(f"{path.name}: holds several images, expected one")
            image.load()
            return ImageOps.exif_transpose(image)
    except Image.DecompressionBombError:
        raise DataError(f"{path.name}: too large, expected at most {MAX_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise DataError(f"{path.name}: not an image") from None
    except DataError:
        raise
    except Exception as error:  # decoders raise whatever a damaged file leads them to
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path.name}: image cannot be read: {reason}") from None


def _from_16_bits(path: Path, pixels: np.ndarray) -> np.ndarray:
    if pixels.min() < 0 or pixels.max() > 65535:
        raise DataError(f"{path.name}: pixels have more than 16 bits")
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _one_channel(path: Path, pixels: np.ndarray, *, alpha: bool) -> np.ndarray:
    colours = pixels[..., :-1] if alpha else pixels
    if alpha and pixels[..., -1].min() < 255:
        raise DataError(f"{path.name}: mask is partly transparent, expected a grey PNG")
    if (colours != colours[..., :1]).any():
        raise DataError(f"{path.name}: mask is coloured, expected a grey PNG of class ids")
    return colours[..., 0]


def _check_palette(path: Path, image: Image, indexes: np.ndarray, classes: int) -> None:
    """A palette of greys that are class ids themselves, but other ones than the indexes, is what
    some tools make of a grey mask: index and grey value then name different classes."""
    palette = np.array(image.getpalette("RGB")).reshape(-1, 3)
    used = np.unique(indexes)
    if used.max() >= len(palette):
        raise DataError(f"{path.name}: mask has an index beyond its palette")
    colours = palette[used]
    greys = colours[:, 0]
    grey = (colours == colours[:, :1]).all()
    if grey and greys.max() < classes and (greys != used).any():
        raise DataError(
            f"{path.name}: mask has a palette in which index {used[greys != used][0]} is the grey "
            f"value {greys[greys != used][0]}, and both are class ids; expected a grey PNG"
        )
