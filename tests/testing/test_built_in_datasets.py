"""The built-in datasets keep the rules that a third party's must keep."""

from __future__ import annotations

from pathlib import Path

from usmt import load_catalogue, load_plugins
from usmt.testing import check_dataset
from usmt_fmc_uia import FmcUia
from usmt_phantom import Phantom


def test_phantom(realus_specs: Path) -> None:
    known = load_catalogue(load_plugins(), [realus_specs]).tasks
    tasks = ("breast_lesion", "FUGC", "lung_2cls", "thyroid_nodule_det")
    check_dataset(Phantom, {"images": 10}, tasks=[known[task] for task in tasks], images=3)


def test_fmc_uia(realus: Path, realus_specs: Path) -> None:
    known = load_catalogue(load_plugins(), [realus_specs]).tasks
    tasks = ("nerve_vessel_multi", "ovary_8cls", "fetal_head_axes_reg", "breast_lesion_det")
    check_dataset(FmcUia, realus, tasks=[known[task] for task in tasks], images=3)
