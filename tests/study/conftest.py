"""What all tests of studies have."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_pictures_of_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take a third of the time of so small a run; tests/train/test_training.py has them."""
    monkeypatch.setattr("usmt.train.run._draw", lambda run: None)
