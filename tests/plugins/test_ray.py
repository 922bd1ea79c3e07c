"""The executor `ray` on a real cluster: one machine that leads, two that work, one of them lost."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from usmt import Ended, Executor, Job, UsmtError, load_plugins

SMALL = {"object_store_memory": 80 * 2**20}
PATIENCE = 240
"""Seconds after which something hangs, however busy the machine is."""
STEPS = 12
# Counts in a file of its own: what is there already is not done again. Waits half-way to be let on.
COUNTING = f"""
import os, sys, time
from pathlib import Path
file, go = map(Path, sys.argv[1:])
done = len(file.read_text().splitlines()) if file.exists() else 0
for step in range(done, {STEPS}):
    while step >= {STEPS // 2} and not go.exists():
        time.sleep(0.02)
    with file.open("a") as out:
        out.write(f"{{step}} {{os.environ['TEST_MACHINE']}} {{os.getpid()}}\\n")
    time.sleep(0.02)
print("done on", os.environ["TEST_MACHINE"])
"""


def until(answer: Callable[[], object]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not answer():
        assert time.monotonic() < give_up, "waited too long"
        time.sleep(0.05)


def ends(executor: Executor, count: int) -> dict[str, Ended]:
    found: dict[str, Ended] = {}

    def all_there() -> bool:
        found.update((end.id, end) for end in executor.ended())
        return len(found) >= count

    until(all_there)
    return found


def make(**options: object) -> Executor:
    cls = load_plugins().executor("ray")
    return cls(cls.Options.model_validate(options), jobs=4)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setattr("usmt_ray.cluster.PATIENCE", PATIENCE)
        from ray.cluster_utils import Cluster

        started = Cluster()
        started.add_node(num_cpus=0, include_dashboard=False, **SMALL)
        yield started
        started.shutdown()


@pytest.fixture(scope="module")
def machines(cluster: Any) -> dict[str, Any]:
    """Two that work. A test that loses one has no other after it that needs it."""
    started = {
        name: cluster.add_node(num_cpus=2, env_vars={"TEST_MACHINE": name}, wait=False, **SMALL)
        for name in ("lost", "kept")
    }
    cluster.wait_for_nodes(timeout=PATIENCE)
    return started


def lose(machine: Any) -> None:
    for process in machine.all_processes["raylet"]:
        os.kill(process.process.pid, signal.SIGKILL)


def lines(file: Path) -> list[list[str]]:
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def start_counting(executor: Executor, folder: Path, ids: Sequence[str]) -> list[Path]:
    files = [folder / f"{id}.txt" for id in ids]
    for id, file in zip(ids, files, strict=True):
        command = (sys.executable, "-c", COUNTING, str(file), str(folder / "go"))
        executor.start(Job(id, command, folder / f"{id}.log"))
    until(lambda: all(len(lines(file)) == STEPS // 2 for file in files))
    return files


def alive(pid: str) -> bool:
    found = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True)
    return found.stdout.strip()[:1] not in ("", "Z")


def test_a_machine_is_lost_and_nothing_else(
    cluster: Any, machines: dict[str, Any], tmp_path: Path
) -> None:
    ids = ["a", "b", "c", "d"]
    with make(address=cluster.address) as executor:
        files = start_counting(executor, tmp_path, ids)
        begun = {file: lines(file)[-1][1:] for file in files}
        orphans = [pid for machine, pid in begun.values() if machine == "lost"]
        assert len(orphans) == 2
        lose(machines["lost"])
        until(lambda: not any(map(alive, orphans)))
        (tmp_path / "go").touch()
        assert ends(executor, 4) == {id: Ended(id, 0) for id in ids}
    for file, (machine, pid) in begun.items():
        assert [int(step) for step, *_ in lines(file)] == list(range(STEPS))  # each once
        first, second = lines(file)[: STEPS // 2], lines(file)[STEPS // 2 :]
        assert {(where, who) for _, where, who in first} == {(machine, pid)}
        assert {where for _, where, _ in second} == {"kept"}
        assert ({who for *_, who in second} == {pid}) == (machine == "kept")
        assert file.with_suffix(".log").read_text().splitlines()[-1] == "done on kept"


def test_a_job_that_may_not_lose_its_machine_is_told_of(
    cluster: Any, machines: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with make(address=cluster.address, retries=0) as executor:
        start_counting(executor, tmp_path, ["a"])
        lose(machines["kept"])
        end = ends(executor, 1)["a"]
    assert end.code is None and re.search("died|dead|crashed", end.reason)
    assert "\n" not in end.reason
    assert capfd.readouterr().out == ""  # it is the study that speaks there


def test_jobs_that_fit_on_no_machine(cluster: Any) -> None:
    with pytest.raises(UsmtError, match="a job takes 1 cores and 4 GPUs") as caught:
        make(address=cluster.address, gpus=4)
    assert "--executor-set gpus=N" in str(caught.value)


# -- without a cluster


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Somebody listens there, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_cluster_that_does_not_answer(silent_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setattr("usmt_ray.cluster.PATIENCE", 3)
    with pytest.raises(UsmtError, match="no answer in 3 seconds"):
        make(address=f"127.0.0.1:{silent_port}")
    with pytest.raises(UsmtError, match=r"127\.0\.0\.1:1' cannot be reached.*refused") as caught:
        make(address="127.0.0.1:1")
    assert "ray start --head" in str(caught.value)
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{silent_port}")
    with pytest.raises(UsmtError, match=str(silent_port)):
        make()


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsmtError, match="needs the library ray") as caught:
        make()
    assert 'pip install "usmt[ray]"' in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [{"address": "nowhere"}, {"address": "ray://a:1"}, {"cpus": -1}, {"retries": -2}, {"gpu": 1}],
)
def test_options_that_cannot_be(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        load_plugins().executor("ray").Options.model_validate(options)


def test_looking_around_does_not_load_ray() -> None:
    code = "import sys, usmt; usmt.load_plugins().executor('ray'); sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
