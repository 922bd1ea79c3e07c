"""The dataset `wardbook`: a folder a patient, images beside annotations of several kinds."""

from __future__ import annotations

from pathlib import Path

from usmt import Dataset, hookimpl
from usmt_wardbook.dataset import Wardbook

USMT_API = 1

__all__ = ["Wardbook"]


@hookimpl
def usmt_datasets() -> list[type[Dataset]]:
    return [Wardbook]


@hookimpl
def usmt_spec_dirs() -> list[Path]:
    return [Path(__file__).parent / "specs"]
