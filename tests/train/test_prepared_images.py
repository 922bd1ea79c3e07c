"""Training from prepared images is training from the images themselves, to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Usmt
from real_pack import copy_pack
from small_runs import tasks, weights

from usmt.data.cache import cached_files

FOUR = ("breast_lesion", "lung_disease_3cls", "breast_lesion_det", "fetal_head_axes_reg")
"""A task of each type."""
SMALL = (
    "image_size=64",
    "epochs=2",
    "moe.experts=2",
    "task_types.segmentation={fusion_channels: 16, intermediate_channels: [16, 16, 16, 16]}",
)


@pytest.fixture
def train(
    usmt: Usmt, tmp_path: Path, realus: Path, realus_specs: Path
) -> Callable[..., tuple[Path, str]]:
    """`train(name, *assignments)` -> the run's folder, and what was said."""
    root = copy_pack(realus, tmp_path / "data", FOUR, 40)

    def run(name: str, *assignments: str) -> tuple[Path, str]:
        answer = usmt(
            *("train", *tasks(*FOUR), "--specs", realus_specs, "--data", f"fmc_uia={root}"),
            *(part for each in (*SMALL, *assignments) for part in ("--set", each)),
            *("--out", tmp_path / name),
        )
        assert answer.code == 0, answer.err
        return tmp_path / name, answer.err

    return run


def test_the_same_weights_and_scores_with_and_without(train, tmp_path: Path):
    cache = tmp_path / "cache"
    kept = f"cache.folder={cache}"
    without, _ = train("without", "cache.disk_mb=0", "cache.memory_mb=0")
    assert not cache.exists()
    runs = [train("cold", kept), train("warm", kept), train("workers", kept, "workers=2")]
    assert len(list(cached_files(cache))) > 100
    for run, _ in runs:
        assert weights(run) == weights(without)
        assert weights(run, "best") == weights(without, "best")
        assert (run / "scores.csv").read_bytes() == (without / "scores.csv").read_bytes()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_cache_that_cannot_be_written_is_told_once(train, tmp_path: Path, workers: int):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    _, said = train("run", f"cache.folder={blocked}", f"workers={workers}")
    assert said.count(f"prepared images are not kept in {blocked}") == 1
