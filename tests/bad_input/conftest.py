"""The small good copy that every case spoils in one place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import small_copy


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory, realus: Path, realus_specs: Path) -> Path:
    folder = tmp_path_factory.mktemp("good")
    small_copy.make(folder, realus, realus_specs)
    return folder


@pytest.fixture
def place(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of its own, in which commands are run; it is removed, as there are hundreds."""
    small_copy.copy(good, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    yield tmp_path / "here"
    shutil.rmtree(tmp_path / "here")
