"""Image files of any bytes: pixels as documented, or a DataError; never anything else."""

from __future__ import annotations

import io
import resource
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from damage import png_of_size
from hypothesis import example, given
from hypothesis import strategies as st
from mutations import fuzz, mutated
from PIL import Image

from usmt import DataError, read_image, read_mask

PIXELS = np.arange(108, dtype=np.uint8).reshape(9, 12)
CLASSES = 3


def encoded(mode: str, format: str, **options: object) -> bytes:
    grey = Image.fromarray(PIXELS)
    image = {
        "I;16": lambda: Image.fromarray(PIXELS.astype(np.uint16) * 257),
        "F": lambda: Image.fromarray(PIXELS.astype(np.float32)),
    }.get(mode, lambda: grey.convert(mode))()
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


ROTATED = Image.Exif()
ROTATED[0x0112] = 6  # the orientation

PNG = [encoded(mode, "PNG") for mode in ("L", "1", "P", "LA", "RGB", "RGBA", "I;16")]
SOURCES = [
    *PNG,
    *(encoded(mode, "JPEG") for mode in ("L", "RGB", "CMYK")),
    *(encoded(mode, "TIFF") for mode in ("L", "1", "P", "RGB", "I;16", "F")),
    *(encoded("L", "TIFF", compression=each) for each in ("tiff_lzw", "tiff_deflate", "packbits")),
    *(encoded(mode, "BMP") for mode in ("L", "1", "RGB")),
    encoded("L", "GIF"),
    encoded("L", "JPEG", exif=ROTATED.tobytes()),
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed") / "image"


def check(file: Path, content: bytes) -> bool:
    """Whether the image can be read."""
    file.write_bytes(content)
    pixels = None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            pixels = read_image(file)
        except DataError as error:
            check_message(error)
        try:
            mask = read_mask(file, CLASSES)
        except DataError as error:
            check_message(error)
        else:
            assert mask.dtype == np.uint8
            assert mask.ndim == 2
            assert mask.size > 0
    assert not warned, warned[0]
    if pixels is None:
        return False
    assert pixels.dtype == np.uint8
    assert pixels.size > 0
    assert pixels.ndim == 2 or pixels.shape[2:] == (3,)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(file) as image:
            assert sorted(pixels.shape[:2]) == sorted(image.size)
    return True


def check_message(error: DataError) -> None:
    assert error.message.startswith("image: ")
    assert len(error.message) < 300
    assert "\n" not in error.message


@pytest.mark.parametrize("number", range(len(SOURCES)))
def test_what_is_good_is_read(file: Path, number: int) -> None:
    assert check(file, SOURCES[number]) or SOURCES[number] == encoded("F", "TIFF")


@given(st.binary(max_size=200))
@example(b"")
@fuzz(200)
def test_any_bytes(file: Path, content: bytes) -> None:
    check(file, content)


@given(mutated(SOURCES))
@fuzz(2500)
def test_a_good_file_spoilt(file: Path, content: bytes) -> None:
    check(file, content)


@pytest.mark.parametrize("number", range(len(SOURCES)))
def test_a_file_cut_off_anywhere(file: Path, number: int) -> None:
    """It is refused, unless what it lacks is nothing that the pixels depend on."""
    whole = SOURCES[number]
    expected = read_image(file) if check(file, whole) else None
    for length in range(0, len(whole), 1 + len(whole) // 100):
        if check(file, whole[:length]):
            np.testing.assert_array_equal(read_image(file), expected)


@pytest.mark.parametrize("number", range(len(PNG)))
def test_a_bit_flipped_anywhere(file: Path, number: int) -> None:
    """A PNG has checksums."""
    whole = PNG[number]
    expected = read_image(file) if check(file, whole) else None
    for place in range(0, len(whole), 1 + len(whole) // 100):
        spoilt = bytearray(whole)
        spoilt[place] ^= 1 << place % 8
        if check(file, bytes(spoilt)):
            np.testing.assert_array_equal(read_image(file), expected)


@pytest.mark.parametrize("side", [20_000, 65_000])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "TIFF"])
def test_a_header_that_promises_too_much(file: Path, format: str, side: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert not check(file, promising(format, side))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100_000  # kilobytes


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF"])
def test_a_header_that_promises_just_little_enough(file: Path, format: str) -> None:
    """Pillow would warn of it, and then find the pixels missing."""
    assert not check(file, promising(format, 9_700))


def promising(format: str, side: int) -> bytes:
    """A small file whose header says that it has side x side pixels."""
    if format == "PNG":
        return png_of_size(side, side)
    data = bytearray(encoded("L", format))
    match format:
        case "JPEG":
            frame = data.index(b"\xff\xc0") + 5
            data[frame : frame + 4] = struct.pack(">HH", side, side)
        case "GIF":
            data[6:10] = struct.pack("<HH", side, side)
            frame = data.index(b",") + 5
            data[frame : frame + 4] = struct.pack("<HH", side, side)
        case "BMP":
            data[18:26] = struct.pack("<ii", side, side)
        case "TIFF":
            data = data.replace(
                struct.pack("<HHII", 256, 4, 1, 12), struct.pack("<HHII", 256, 4, 1, side)
            ).replace(struct.pack("<HHII", 257, 4, 1, 9), struct.pack("<HHII", 257, 4, 1, side))
            assert struct.pack("<I", side) in data
    return bytes(data)
