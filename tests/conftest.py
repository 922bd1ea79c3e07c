"""What tests of several folders need."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from clean_environment import clean_environment as clean_environment
from command_line import Usmt, runner
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

SLOW = (
    "test_docs.py",
    "test_run.py",
    "test_training.py",
    "test_examples.py",
    "test_new.py",
    "test_table.py",
    "test_ray_study.py",
)
"""Files that take minutes. Workers of pytest-xdist are given files in their order: the long ones
first, so that none is left to run alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: SLOW.index(name) if (name := item.path.name) in SLOW else len(SLOW))


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Prepared images are kept in a folder of the session, not of whoever runs it."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("USMT_CACHE", str(folder))
        yield folder


@pytest.fixture
def usmt(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Usmt]:
    """Runs command lines in this process; loose plugins are forgotten afterwards."""
    for name in ("USMT_SPECS", "USMT_PLUGINS_DIR", "USMT_DISABLE_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    path = list(sys.path)
    yield runner(capsys)
    sys.path[:] = path
    sys.modules.pop("ward_plugin", None)


@pytest.fixture(scope="session")
def realus() -> Path:
    """The pack of real images, in the challenge's layout. A missing pack is a failure: what only
    real images can show would otherwise go untested without a word."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "realus"
    pack = Path(os.environ.get("USMT_REALUS", beside))
    if not (pack / "csv_files").is_dir():
        pytest.fail(f"no real images in {pack}; put the pack there, or name it in USMT_REALUS")
    return pack


@pytest.fixture(scope="session")
def realus_specs() -> Path:
    """Specs of the pack's tasks that are not built in, and its groups."""
    return Path(__file__).parent / "realus_specs"
