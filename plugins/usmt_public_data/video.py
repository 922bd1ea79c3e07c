"""Videos as images: frames at a fixed rate, decoded in their order with OpenCV and its FFmpeg."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from usmt import DataError, Fault

if TYPE_CHECKING:
    import cv2

_READING = Lock()
"""Threads that ask for frames of one video wait until one of them has decoded it."""

UNCOUNTED = (".gif", ".mpeg")
"""Files that do not hold the number of their frames; these are decoded to count them."""


def sampled_frames(path: Path, rate: float, most: int) -> tuple[int, ...]:
    """Numbers of the frames to read, from 0: every n-th, `most` at most, where n is the video's
    own rate divided by `rate`, rounded down, and 1 at least. Raises `DataError`."""
    import cv2

    with _opened(path) as video:
        own = video.get(cv2.CAP_PROP_FPS)
        if not (math.isfinite(own) and 0 < own <= 1000):
            text = f"states {own:g} frames a second, expected a number above 0"
            raise _fault(path, text, "frame rate")
        step = max(1, int(own / rate))
        end = (most - 1) * step + 1
        if path.suffix.lower() in UNCOUNTED:
            count = sum(1 for _ in takewhile(lambda _: video.grab(), range(end)))
        else:
            count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    if count < 1:
        raise _fault(path, "has no frame that can be decoded", "unreadable video")
    return tuple(range(0, min(count, end), step))


def read_frame(path: Path, frame: int, frames: tuple[int, ...]) -> np.ndarray:
    """One of the sampled frames, uint8 (H, W, 3) RGB. `frames` are all of them: they are decoded
    together and kept until another video is read. Raises `DataError`."""
    with _READING:
        return _decoded(path, frames)[frame].copy()


@lru_cache(maxsize=1)
def _decoded(path: Path, frames: tuple[int, ...]) -> dict[int, np.ndarray]:
    if path.suffix.lower() == ".gif":
        _check_end(path)
    found: dict[int, np.ndarray] = {}
    with _opened(path) as video:
        for number in range(frames[-1] + 1):
            if not video.grab():
                text = f"cut off or damaged: frame {number} cannot be decoded"
                raise _fault(path, text, "truncated file")
            if number in frames:
                good, pixels = video.retrieve()
                if not good or pixels.ndim != 3 or pixels.dtype != np.uint8:
                    text = f"frame {number} is no colour image of 8 bits"
                    raise _fault(path, text, "pixel format")
                found[number] = np.ascontiguousarray(pixels[..., ::-1])
    return found


def _check_end(path: Path) -> None:
    """The decoder takes a GIF that is cut off for a shorter one."""
    try:
        end = path.read_bytes().rstrip(b"\0")[-1:]
    except OSError as error:
        raise _fault(path, f"cannot be read: {error.strerror}", "missing file") from None
    if end != b";":
        raise _fault(path, "cut off: it does not end as a GIF does", "truncated file")


@contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    if not path.is_file():
        raise _fault(path, "there is no such file", "missing file")
    if path.stat().st_size == 0:
        raise _fault(path, "not a video: the file is empty", "empty file")
    video = _capture(path)
    try:
        if not video.isOpened():
            raise _fault(path, "cannot be read as a video", "unreadable video")
        yield video
    finally:
        video.release()


def _capture(path: Path) -> cv2.VideoCapture:
    # What OpenCV and FFmpeg write to stderr of a damaged file is said by the errors here.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    import cv2

    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        # FFmpeg alone: other readers take a name with figures for a sequence of images.
        return cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    finally:
        cv2.utils.logging.setLogLevel(level)


def _fault(path: Path, text: str, kind: str) -> DataError:
    return DataError(Fault(f"{path.name}: {text}", kind))
