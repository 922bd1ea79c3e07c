"""NIfTI files as images (https://nifti.nimh.nih.gov), read with nibabel, which is an extra."""

from __future__ import annotations

import gzip
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from usmt import DataError, Fault


def require_nibabel(dataset: str) -> None:
    """For the constructor of a dataset that reads NIfTI. Raises `DataError`."""
    if find_spec("nibabel") is None:
        raise DataError(
            f"{dataset}: its files are NIfTI, and nibabel, which reads them, is not installed",
            hint="pip install 'usmt[nifti]'",
        )


def read_slice(path: Path, frame: int | None = None, frames: int = 1) -> np.ndarray:
    """One image of a NIfTI file, uint8 (H, W): the array as it is stored, (x, y), transposed.

    Args:
        frame: which image of a sequence, (x, y, t), from 0; None: the file holds one image.
        frames: how many the sequence must have.

    Raises:
        DataError: it is no whole NIfTI file, has another shape, or holds other numbers than 0 to
            255; they are not scaled, since nothing says how.
    """
    _, pixels = _unpacked(path)
    shape = pixels.shape
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    pixels = pixels.reshape(shape)
    if frame is not None and len(shape) == 2:
        pixels, shape = pixels[..., None], (*shape, 1)
    expected = 2 if frame is None else 3
    if len(shape) != expected or (frame is not None and shape[-1] != frames):
        wanted = "one image, (x, y)" if frame is None else f"{frames} images, (x, y, {frames})"
        raise _fault(path, f"the array is {shape}, expected {wanted}", "array shape")
    return _as_uint8(path, pixels if frame is None else pixels[..., frame]).T


def read_pixel_size(path: Path) -> tuple[float, float] | None:
    """Width and height of a pixel in mm, as the header has them; None where it names no unit.

    Raises `DataError` for a file that cannot be read, or whose header names another unit.
    """
    header, _ = _unpacked(path)
    unit, (width, height) = header.get_xyzt_units()[0], header.get_zooms()[:2]
    if unit == "unknown":
        return None
    if unit != "mm" or not (width > 0 and height > 0):
        text = f"pixels of {width:g} x {height:g} {unit}, expected mm"
        raise _fault(path, text, "pixel size")
    return float(width), float(height)


def _unpacked(path: Path) -> tuple[Any, np.ndarray]:
    """Header and read-only array of a `.nii.gz`. Raises `DataError`."""
    try:
        changed = path.stat().st_mtime_ns
        return _last_unpacked(path, changed)
    except FileNotFoundError:
        raise _fault(path, "there is no such file", "missing file") from None
    except Exception as error:  # gzip, zlib and nibabel raise whatever a damaged file leads them to
        text = f"cannot be read as NIfTI: {str(error) or type(error).__name__}"
        raise _fault(path, text, "unreadable image") from None


@lru_cache(maxsize=4)
def _last_unpacked(path: Path, changed: int) -> tuple[Any, np.ndarray]:
    """The files read last, for those whose images are read one by one; `changed` is the file's
    time. The whole file is unpacked first: nibabel stops at the last pixel, before the checksum."""
    import nibabel

    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(path.read_bytes()))
    pixels = np.asanyarray(image.dataobj)
    if pixels.size == 0 or pixels.ndim < 2:
        raise ValueError(f"the array is {pixels.shape}, expected an image")
    pixels.setflags(write=False)
    return image.header, pixels


def _as_uint8(path: Path, pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype != np.uint8:
        if pixels.dtype.kind not in "biuf":
            raise _fault(path, f"pixels are {pixels.dtype}, expected numbers", "pixel format")
        if not (np.isfinite(pixels) & (pixels == np.floor(pixels))).all():
            raise _fault(path, "pixels are no whole numbers, expected 0 to 255", "pixel format")
        if pixels.min() < 0 or pixels.max() > 255:
            found = f"{pixels.min():g} to {pixels.max():g}"
            raise _fault(path, f"pixels are {found}, expected 0 to 255", "pixel format")
    return np.array(pixels, np.uint8, order="C")  # a copy: the file may be read from again


def _fault(path: Path, text: str, kind: str) -> DataError:
    return DataError(Fault(f"{path.name}: {text}", kind))
