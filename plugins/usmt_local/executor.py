"""Jobs as processes of this machine, each with its share of cores and CUDA devices."""

from __future__ import annotations

import os
from dataclasses import replace

from usmt import Ended, Executor, ExecutorOptions, Job, JobProcess, UsmtError, usable_cores

THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class LocalExecutor(Executor):
    """Each of the `jobs` places has the same cores divided by their number, and one of the CUDA
    devices, if there are several of both."""

    name = "local"

    def __init__(self, options: ExecutorOptions, jobs: int) -> None:
        super().__init__(options, jobs)
        if os.name != "posix":
            raise UsmtError(
                "the executor 'local' needs the processes of Linux or macOS",
                hint="On Windows, use it within WSL.",
            )
        devices = cuda_devices() if jobs > 1 else []
        self._shares = [thread_share(jobs) | device_share(devices, i) for i in range(jobs)]
        self._running: dict[int, JobProcess] = {}

    def start(self, job: Job) -> None:
        place = next(i for i in range(self.jobs) if i not in self._running)
        environment = {**self._shares[place], **job.environment}
        self._running[place] = JobProcess(replace(job, environment=environment))

    def ended(self) -> list[Ended]:
        ends = {place: process.ended() for place, process in self._running.items()}
        done = {place: end for place, end in ends.items() if end is not None}
        for place in done:
            del self._running[place]
        return list(done.values())

    def stop(self, id: str) -> None:
        for process in self._running.values():
            if process.id == id:
                process.stop()

    def close(self) -> None:
        for process in self._running.values():
            process.stop()  # all at once, so that their seconds of grace run together
        for process in self._running.values():
            process.close()


def thread_share(jobs: int) -> dict[str, str]:
    """The threads of one of `jobs` processes; nothing, where the user has set any of them."""
    if any(name in os.environ for name in THREADS):
        return {}
    return dict.fromkeys(THREADS, str(max(1, usable_cores() // jobs)))


def cuda_devices() -> list[str]:
    """The devices that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [device.strip() for device in visible.split(",") if device.strip()]
    from torch import cuda

    return [str(index) for index in range(cuda.device_count())]


def device_share(devices: list[str], place: int) -> dict[str, str]:
    if len(devices) < 2:
        return {}
    return {"CUDA_VISIBLE_DEVICES": devices[place % len(devices)]}
