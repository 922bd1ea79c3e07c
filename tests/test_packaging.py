"""The wheel holds all that usmt needs, and works from an empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLUGINS = [
    "classification",
    "detection",
    "fmc_uia",
    "local",
    "own_data",
    "phantom",
    "public_data",
    "ray",
    "regression",
    "segmentation",
    "timm",
    "transformers",
    "usfm",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel, as it lies in an environment."""
    made = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(made), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = made.glob("usmt-*.whl")
    folder = tmp_path_factory.mktemp("site")
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(site: Path, place: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_only_packages_are_in_it(site: Path):
    expected = {"usmt", *(f"usmt_{name}" for name in PLUGINS)}
    assert {path.name for path in site.iterdir() if path.suffix != ".dist-info"} == expected
    for package in expected:
        assert (site / package / "py.typed").is_file()


def test_it_works_from_an_empty_folder(site: Path, tmp_path: Path):
    assert str(site) in run(site, tmp_path, "-c", "import usmt; print(usmt.__file__)")
    tasks = json.loads(run(site, tmp_path, "-m", "usmt", "tasks", "list", "--json"))
    assert sum(task["dataset"] == "fmc_uia" for task in tasks) == 27
    plugins = json.loads(run(site, tmp_path, "-m", "usmt", "plugins", "list", "--json"))
    assert [info["name"] for info in plugins] == PLUGINS
    assert {info["status"] for info in plugins} == {"ok"}
    folders = {info["name"]: info["spec_dirs"] for info in plugins if info["spec_dirs"]}
    assert set(folders) == {"fmc_uia", "public_data"}
    assert all(Path(path).is_relative_to(site) for its in folders.values() for path in its)
    text = run(site, tmp_path, "-m", "usmt", "train", "--group", "breast", "--dry-run", "--json")
    assert len(json.loads(text)["audit"]["tasks"]) == 3
    assert not list(tmp_path.iterdir())
