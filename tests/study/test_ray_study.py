"""A study on a Ray cluster of two machines, of which one is lost while it trains."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import Usmt
from small_studies import INLINE, events, wait_for, write_study

SMALL = {"object_store_memory": 80 * 2**20}


@pytest.fixture
def machines() -> Iterator[dict[str, Any]]:
    """`head`, which runs nothing, `one` and `two`."""
    pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        cluster = Cluster()
        try:
            head = cluster.add_node(num_cpus=0, include_dashboard=False, **SMALL)
            found = {"head": head} | {
                name: cluster.add_node(num_cpus=1, env_vars={"TEST_MACHINE": name}, **SMALL)
                for name in ("one", "two")
            }
            cluster.wait_for_nodes(timeout=240)
            yield found
        finally:
            cluster.shutdown()


def machine_of(job: str) -> str | None:
    """Where a job's process runs."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            variables = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if command[-2:-1] == [job.encode()] and b"study" in command:
            for variable in variables:
                if variable.startswith(b"TEST_MACHINE="):
                    return variable.partition(b"=")[2].decode()
    return None


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")
def test_a_machine_is_lost_in_mid_study_and_nothing_else(
    usmt: Usmt, machines: dict[str, Any], tmp_path: Path
) -> None:
    file = write_study(tmp_path, seeds=[0], budget={"epochs": 6})
    study, calm = tmp_path / "out", tmp_path / "calm"
    command = [sys.executable, "-m", "usmt", "study", "run", str(file), "--out", str(study)]
    ray = ["--executor", "ray", "--executor-set", f"address={machines['head'].address}"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*command, *ray, "--jobs", "2"], stdout=log, stderr=log)
        metrics = study / "runs" / "cg-pair-s0" / "metrics.jsonl"
        wait_for(lambda: metrics.exists() and metrics.read_bytes().count(b"\n") >= 2, process)
        lost = machine_of("cg-pair-s0")
        assert lost in ("one", "two")
        for raylet in machines[lost].all_processes["raylet"]:
            os.kill(raylet.process.pid, signal.SIGKILL)
        assert process.wait(timeout=400) == 0, (tmp_path / "log").read_text()[-3000:]
    told = usmt("study", "status", study, "--json").data["states"]
    assert told == {"scored": 3}
    # The study never noticed; the run went on after its last epoch, on the machine that is left.
    assert [e["what"] for e in events(study) if e["of"] == "cg-pair-s0"] == ["started", "ended"]
    assert "goes on after epoch" in (study / "logs" / "cg-pair-s0.log").read_text()
    assert usmt("study", "run", file, "--out", calm, *INLINE).code == 0
    for run in (calm / "runs").iterdir():
        same = study / "runs" / run.name
        assert (run / "rows-test.csv").read_bytes() == (same / "rows-test.csv").read_bytes()
