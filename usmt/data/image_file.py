"""Image files as pixels: read completely or not at all."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from usmt.errors import DataError, Fault

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 100_000_000
Colour = tuple[int, int, int]
"""Red, green, blue, each 0 to 255."""

_MOST_UNCLEAR = 0.02
_LEAST_BRIGHT = 192
_MOST_NOISE = 15
"""What JPEG makes of black."""
_MOST_COLOUR = 32
"""By which red, green and blue of a grey pixel may differ after JPEG."""
_MOST_SHOWN = 6
_TOO_LARGE = "too many pixels"

_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")
"""What image files begin with: PNG, JPEG, GIF, BMP, TIFF in two byte orders, WebP."""


def read_image(path: str | Path) -> np.ndarray:
    """An image as uint8, (H, W) grey or (H, W, 3) RGB.

    16-bit pixels are scaled by 255 / 65535, palettes resolved, transparency dropped, and the
    orientation that EXIF states is applied. Raises `DataError` for what is not one whole image.
    """
    path = Path(path)
    image = _open(path)
    if image.mode in ("L", "RGB"):
        return np.array(image)
    if image.mode in ("1", "LA", "La"):
        return np.array(image.convert("L"))
    if image.mode.startswith("I"):
        return _from_16_bits(path, np.array(image))
    if image.mode == "F":
        raise _fault(path, "pixels are floats, expected 8 or 16 bits", "pixel format")
    return np.array(image.convert("RGB"))


def read_mask(path: str | Path, classes: int) -> np.ndarray:
    """A mask as class ids, uint8 (H, W): grey values, or the indexes of a palette.

    Raises `DataError` where it is not clear which number is meant.
    """
    path = Path(path)
    image = _open(path)
    pixels = np.array(image)
    if image.mode == "P":
        _check_palette(path, image, pixels, classes)
    if pixels.ndim == 3:
        pixels = _one_channel(path, pixels, alpha=image.mode in ("LA", "RGBA"))
    if pixels.dtype.kind not in "bui" or pixels.min() < 0 or pixels.max() > 255:
        raise _fault(path, "mask has values beyond 0 to 255, expected class ids", "mask values")
    return pixels.astype(np.uint8)


def read_mapped_mask(path: str | Path, classes: Mapping[int, int]) -> np.ndarray:
    """A mask as class ids, uint8 (H, W), in whose file other numbers stand for the classes.

    Args:
        classes: the class of each grey value, or index of a palette.

    Raises `DataError` for a number that stands for no class.
    """
    path = Path(path)
    return _mapped(path, read_mask(path, 256), classes, "{}")


def read_coloured_mask(path: str | Path, classes: Mapping[Colour, int]) -> np.ndarray:
    """A mask as class ids, uint8 (H, W), in whose file colours stand for the classes.

    Raises `DataError` for a colour that stands for no class.
    """
    path = Path(path)
    image = _open(path)
    _check_opaque(path, image, "colours alone")
    pixels = np.array(image.convert("RGB")).astype(np.int64)
    numbers = (pixels[..., 0] << 16) | (pixels[..., 1] << 8) | pixels[..., 2]
    by_number = {(r << 16) | (g << 8) | b: index for (r, g, b), index in classes.items()}
    return _mapped(path, numbers, by_number, "#{:06x}")


def read_binary_mask(path: str | Path) -> np.ndarray:
    """A mask of one structure as uint8 (H, W), 0 or 1: files with 0 and 1, or dark and bright.

    Bright is above 127, so that edges that JPEG or smoothing blurred fall to one side. Raises
    `DataError` for a mask that is coloured or partly transparent, whose brightest pixel is neither
    0, 1 nor at least 192 (of a JPEG, below 16 is 0), or of which more than a fiftieth of the
    pixels are neither dark nor bright.
    """
    path = Path(path)
    image = _open(path)
    pixels = _grey(path, image)
    brightest = int(pixels.max())
    if brightest <= 1:
        return pixels.astype(np.uint8)
    if image.format == "JPEG" and brightest <= _MOST_NOISE:
        return np.zeros(pixels.shape, np.uint8)
    if brightest < _LEAST_BRIGHT:
        text = f"the mask's brightest pixel is {brightest}, expected 255 (or 0 and 1 alone)"
        raise _fault(path, text, "mask values")
    if ((pixels > 63) & (pixels < _LEAST_BRIGHT)).mean() > _MOST_UNCLEAR:
        raise _fault(path, "mask has many grey values, expected dark and bright", "mask values")
    return (pixels > 127).astype(np.uint8)


def png_bytes(image: np.ndarray) -> bytes:
    """An image, uint8 (H, W) or (H, W, 3) RGB, as the bytes of a PNG file."""
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def _open(path: Path) -> Image:
    """The file's only frame, decoded and upright."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    # What Pillow warns of is an error here, or nothing that the pixels depend on. Not undone: that
    # could not be done while other threads read.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        if path.stat().st_size == 0:
            raise _fault(path, "not an image: the file is empty", "empty file")
        with path.open("rb") as file:
            image = Image.open(file)
            if image.width * image.height > MAX_PIXELS:
                size = f"{image.width} x {image.height}"
                raise _fault(path, f"{size} pixels, expected at most {MAX_PIXELS:,}", _TOO_LARGE)
            # A photograph's MPO holds previews, which are no second image.
            if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
                raise _fault(path, "holds several images, expected one", "several images")
            if image.format == "PNG":  # the decoder looks at no checksum and at no end
                image.verify()
                file.seek(0)
                image = Image.open(file)
            image.load()
            upright = ImageOps.exif_transpose(image)
            upright.format = image.format  # which a copy does not keep
            return upright
    except Image.DecompressionBombError:
        text = f"too large, expected at most {MAX_PIXELS:,} pixels"
        raise _fault(path, text, _TOO_LARGE) from None
    except UnidentifiedImageError:
        if _begins_as_image(path):
            text = "image cannot be read: cut off or damaged"
            raise _fault(path, text, "truncated file") from None
        raise _fault(path, "not an image", "not an image") from None
    except DataError:
        raise
    except FileNotFoundError as error:
        text = f"image cannot be read: {error.strerror}"
        raise _fault(path, text, "missing file") from None
    except Exception as error:  # decoders raise whatever a damaged file leads them to
        reason = getattr(error, "strerror", None) or error
        cut_off = re.search("truncated|incomplete", str(reason), re.IGNORECASE)
        kind = "truncated file" if cut_off else "unreadable image"
        raise _fault(path, f"image cannot be read: {reason}", kind) from None


def _fault(path: Path, text: str, kind: str) -> DataError:
    return DataError(Fault(f"{path.name}: {text}", kind))


def _begins_as_image(path: Path) -> bool:
    with path.open("rb") as file:
        begin = file.read(4)
    return any(begin.startswith(signature) for signature in _SIGNATURES)


def _from_16_bits(path: Path, pixels: np.ndarray) -> np.ndarray:
    if pixels.min() < 0 or pixels.max() > 65535:
        raise _fault(path, "pixels have more than 16 bits", "pixel format")
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _check_opaque(path: Path, image: Image, expected: str) -> None:
    if image.has_transparency_data and np.array(image.convert("RGBA"))[..., -1].min() < 255:
        raise _fault(path, f"mask is partly transparent, expected {expected}", "mask format")


def _grey(path: Path, image: Image) -> np.ndarray:
    """A mask's pixels, (H, W), 0 to 255. Those of 16 bits are scaled where any is above 255."""
    _check_opaque(path, image, "a grey PNG")
    if image.mode in ("1", "L"):
        return np.array(image)
    if image.mode == "F":
        raise _fault(path, "pixels are floats, expected 8 or 16 bits", "pixel format")
    if image.mode.startswith("I"):
        pixels = np.array(image)
        whole = pixels.min() >= 0 and pixels.max() <= 255
        return pixels if whole else _from_16_bits(path, pixels)
    colours = np.array(image.convert("RGB"))
    if np.ptp(colours, axis=-1).max() > _MOST_COLOUR:
        raise _fault(path, "mask is coloured, expected a grey PNG, dark and bright", "mask format")
    return np.array(image.convert("L"))


def _one_channel(path: Path, pixels: np.ndarray, *, alpha: bool) -> np.ndarray:
    colours = pixels[..., :-1] if alpha else pixels
    if alpha and pixels[..., -1].min() < 255:
        raise _fault(path, "mask is partly transparent, expected a grey PNG", "mask format")
    if (colours != colours[..., :1]).any():
        raise _fault(path, "mask is coloured, expected a grey PNG of class ids", "mask format")
    return colours[..., 0]


def _mapped(path: Path, pixels: np.ndarray, classes: Mapping[int, int], form: str) -> np.ndarray:
    """`form` is how a number is shown."""
    found, positions = np.unique(pixels, return_inverse=True)
    foreign = [value for value in found.tolist() if value not in classes]
    if foreign:
        more = ", ..." if len(foreign) > _MOST_SHOWN else ""
        listed = ", ".join(map(form.format, foreign[:_MOST_SHOWN])) + more
        expected = ", ".join(map(form.format, classes))
        raise _fault(path, f"mask has the values {listed}, expected {expected}", "mask values")
    ids = np.array([classes[value] for value in found.tolist()], np.uint8)
    return ids[positions].reshape(pixels.shape)


def _check_palette(path: Path, image: Image, indexes: np.ndarray, classes: int) -> None:
    """A palette of greys that are class ids themselves, but other ones than the indexes, is what
    some tools make of a grey mask: index and grey value then name different classes."""
    palette = np.array(image.getpalette("RGB")).reshape(-1, 3)
    used = np.unique(indexes)
    if used.max() >= len(palette):
        raise _fault(path, "mask has an index beyond its palette", "mask format")
    colours = palette[used]
    greys = colours[:, 0]
    grey = (colours == colours[:, :1]).all()
    if grey and greys.max() < classes and (greys != used).any():
        raise _fault(
            path,
            f"mask has a palette in which index {used[greys != used][0]} is the grey value "
            f"{greys[greys != used][0]}, and both are class ids; expected a grey PNG",
            "mask format",
        )
