"""Public datasets, read as they are downloaded: docs/reference/public_data.md."""

from __future__ import annotations

from pathlib import Path

from usmt import Dataset, hookimpl
from usmt_public_data.busi import Busi
from usmt_public_data.camus import Camus
from usmt_public_data.ddti import Ddti
from usmt_public_data.fetal_planes import FetalPlanes
from usmt_public_data.hc18 import Hc18
from usmt_public_data.mmotu import Mmotu
from usmt_public_data.pocus import Pocus
from usmt_public_data.tn3k import Tn3k
from usmt_public_data.uusic import Uusic

__all__ = ["Busi", "Camus", "Ddti", "FetalPlanes", "Hc18", "Mmotu", "Pocus", "Tn3k", "Uusic"]


@hookimpl
def usmt_datasets() -> list[type[Dataset]]:
    return [Busi, Camus, Ddti, FetalPlanes, Hc18, Mmotu, Pocus, Tn3k, Uusic]


@hookimpl
def usmt_spec_dirs() -> list[Path]:
    return [Path(__file__).parent / "specs"]
