"""The contract of an executor, for those that are built in: real processes, real signals."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from usmt import Ended, Executor, Job, JobProcess, job_process, load_plugins

PATIENCE = 240
"""Seconds after which something hangs, however busy the machine is."""
PLUGINS = load_plugins()
TREE = """
import os, subprocess, sys, time
from pathlib import Path
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
Path(sys.argv[1]).write_text(f"{os.getpid()} {child.pid}")
time.sleep(300)
"""


def python(id: str, folder: Path, code: str, *arguments: object, **environment: str) -> Job:
    command = (sys.executable, "-c", code, *map(str, arguments))
    return Job(id, command, folder / id / "job.log", environment)


def until(answer: Callable[[], object]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not answer():
        assert time.monotonic() < give_up, "waited too long"
        time.sleep(0.02)


def ends(executor: Executor, count: int) -> dict[str, Ended]:
    found: dict[str, Ended] = {}

    def all_there() -> bool:
        found.update((end.id, end) for end in executor.ended())
        return len(found) >= count

    until(all_there)
    return found


def pids(file: Path) -> list[int]:
    until(lambda: file.is_file() and len(file.read_text().split()) == 2)
    return [int(word) for word in file.read_text().split()]


def alive(pid: int) -> bool:
    """Zombies are not: in a container nobody may be there to bury them."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return found.stdout.strip()[:1] not in ("", "Z")


def make(name: str, jobs: int, **options: object) -> Executor:
    cls = PLUGINS.executor(name)
    return cls(cls.Options.model_validate(options), jobs)


# Tests that share an executor are grouped by it; the one that closes it stands last.
@pytest.fixture(scope="module", params=["local", "ray"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "local":
        options = {}
    else:
        pytest.importorskip("ray")
        options = {"address": "local", "cpus": 0.1}
    with make(request.param, jobs=3, **options) as made:
        yield made


def test_a_job_runs_to_its_end(executor: Executor, tmp_path: Path) -> None:
    job = python(
        "sound",
        tmp_path,
        "import os, sys; print(sys.stdin.read(), os.getcwd(), os.environ['WARD'], os.getsid(0));"
        "print('a remark', file=sys.stderr)",
        WARD="seven",
    )
    job.log.parent.mkdir()
    job.log.write_text("from before\n")
    executor.start(job)
    assert ends(executor, 1) == {"sound": Ended("sound", 0)}
    assert executor.ended() == []  # told once
    before, line, remark = job.log.read_text().splitlines()
    folder, ward, session = line.split()
    assert (before, folder, ward, remark) == ("from before", str(Path.cwd()), "seven", "a remark")
    assert int(session) != os.getsid(0)  # Ctrl-C on this terminal does not reach it


def test_what_fails_is_told(executor: Executor, tmp_path: Path) -> None:
    executor.start(python("failing", tmp_path, "raise SystemExit(3)"))
    executor.start(python("killed", tmp_path, "import os; os.kill(os.getpid(), 9)"))
    executor.start(Job("missing", ["/no/such/program"], tmp_path / "missing.log"))
    found = ends(executor, 3)
    assert found["failing"] == Ended("failing", 3)
    assert found["killed"] == Ended("killed", -9, "killed by SIGKILL (out of memory?)")
    assert found["missing"].code is None and "/no/such/program" in found["missing"].reason


def test_a_log_that_cannot_be_written_is_told(executor: Executor, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    executor.start(Job("logless", [sys.executable, "-V"], tmp_path / "file" / "job.log"))
    end = ends(executor, 1)["logless"]
    assert end.code is None and "cannot be started" in end.reason


def test_jobs_run_at_the_same_time(executor: Executor, tmp_path: Path) -> None:
    """Each of three waits for the others: one after the other they would never end."""
    meet = (
        "import sys, time; from pathlib import Path; place = Path(sys.argv[1]);"
        "(place / sys.argv[2]).touch()\n"
        "while len(list(place.glob('here-*'))) < 3: time.sleep(0.01)"
    )
    for index in range(3):
        executor.start(python(f"job-{index}", tmp_path, meet, tmp_path, f"here-{index}"))
    assert all(end.code == 0 for end in ends(executor, 3).values())


def test_a_stopped_job_ends_with_all_its_processes(executor: Executor, tmp_path: Path) -> None:
    executor.start(python("stopped", tmp_path, TREE, tmp_path / "pids"))
    executor.start(python("other", tmp_path, TREE, tmp_path / "others"))
    tree, others = pids(tmp_path / "pids"), pids(tmp_path / "others")
    assert executor.ended() == []
    executor.stop("stopped")
    executor.stop("a job that is not there")
    assert ends(executor, 1)["stopped"].reason == "stopped"
    until(lambda: not any(map(alive, tree)))
    assert all(map(alive, others))
    executor.stop("other")
    assert list(ends(executor, 1)) == ["other"]


def test_closing_leaves_no_process(executor: Executor, tmp_path: Path) -> None:
    """The last test of an executor."""
    executor.start(python("open", tmp_path, TREE, tmp_path / "pids"))
    tree = pids(tmp_path / "pids")
    executor.close()
    until(lambda: not any(map(alive, tree)))
    executor.close()


# -- processes of this machine


def test_a_job_that_does_not_listen_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_process, "GRACE", 4)
    deaf = "import signal; signal.signal(15, signal.SIG_IGN); open('{}', 'w').write('1 1')\n"
    deaf += "import time; time.sleep(300)"
    with make("local", jobs=1) as executor:
        executor.start(python("deaf", tmp_path, deaf.format(tmp_path / "ready")))
        pids(tmp_path / "ready")
        executor.stop("deaf")
        assert executor.ended() == []  # neither of the two waits for its end
        assert ends(executor, 1)["deaf"] == Ended("deaf", -9, "stopped")


def test_processes_that_a_job_leaves_behind_end_with_it(tmp_path: Path) -> None:
    left = TREE.replace("time.sleep(300)\n", "")
    with make("local", jobs=1) as executor:
        executor.start(python("leaving", tmp_path, left, tmp_path / "pids"))
        assert ends(executor, 1)["leaving"] == Ended("leaving", 0)
    _, child = pids(tmp_path / "pids")
    until(lambda: not alive(child))


def test_jobs_end_with_a_killed_starter(tmp_path: Path) -> None:
    starter = (
        "import sys, time; from pathlib import Path; from usmt import Job, JobProcess;"
        "process = JobProcess(Job('job', sys.argv[2:], Path(sys.argv[1]))); time.sleep(300)"
    )
    command = [sys.executable, "-c", TREE, tmp_path / "pids"]
    started = subprocess.Popen([sys.executable, "-c", starter, tmp_path / "job.log", *command])
    tree = pids(tmp_path / "pids")
    started.kill()
    started.wait()
    until(lambda: not any(map(alive, tree)))


def test_one_process_at_a_time_works_at_a_job(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    code = (
        "import sys, time; from pathlib import Path; print('begins', flush=True)\n"
        "while not Path(sys.argv[1]).exists(): time.sleep(0.01)\n"
        "print('ends', flush=True)"
    )
    job = Job("job", [sys.executable, "-c", code, str(tmp_path / "go")], log)
    first = JobProcess(job)
    until(lambda: "begins" in log.read_text())
    second = JobProcess(job)
    until(lambda: "waiting" in log.read_text())
    assert second.ended() is None
    (tmp_path / "go").touch()
    until(lambda: first.ended() and second.ended())
    lines = [line for line in log.read_text().splitlines() if "waiting" not in line]
    assert lines == ["begins", "ends"] * 2


SHOW = "import os; print(os.environ.get('OMP_NUM_THREADS'), os.environ.get('CUDA_VISIBLE_DEVICES'))"


def shares(tmp_path: Path, jobs: int) -> list[list[str]]:
    with make("local", jobs) as executor:
        for index in range(jobs):
            executor.start(python(f"share-{index}", tmp_path, SHOW))
        ends(executor, jobs)
    logs = [tmp_path / f"share-{index}" / "job.log" for index in range(jobs)]
    words = [log.read_text().split() for log in logs]
    for log in logs:
        log.unlink()
    return words


def test_cores_are_shared_unless_the_user_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert [threads for threads, *_ in shares(tmp_path, 2)] == ["4", "4"]
    assert [threads for threads, *_ in shares(tmp_path, 1)] == ["8"]
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    assert [threads for threads, *_ in shares(tmp_path, 2)] == ["1", "1"]
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert [threads for threads, *_ in shares(tmp_path, 2)] == ["5", "5"]


@pytest.mark.parametrize(
    ("visible", "counted", "expected"),
    [
        (None, 2, ["0", "1", "0"]),
        (None, 1, ["None"] * 3),
        (None, 0, ["None"] * 3),
        ("5,7", 0, ["5", "7", "5"]),
        ("GPU-a, GPU-b,GPU-c,GPU-d", 0, ["GPU-a", "GPU-b", "GPU-c"]),
        ("3", 8, ["3"] * 3),
    ],
)
def test_each_place_has_a_cuda_device_where_there_are_several(
    visible: str | None,
    counted: int,
    expected: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: counted)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [devices for _, devices in shares(tmp_path, 3)] == expected


def test_a_place_that_is_free_again_is_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with make("local", jobs=2) as executor:
        executor.start(python("long", tmp_path, TREE, tmp_path / "pids"))
        for index in range(3):
            job = python(f"short-{index}", tmp_path, SHOW)
            executor.start(job)
            ends(executor, 1)
            assert job.log.read_text().split()[1] == "1"
