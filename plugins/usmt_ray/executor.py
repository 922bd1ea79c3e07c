"""Jobs as tasks of a Ray cluster: each is a process on whichever machine has room for it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field

from usmt import Ended, Executor, ExecutorOptions, Job
from usmt_ray.cluster import connect, require_room
from usmt_ray.task import run_job

LEAVE = 25
"""Seconds that jobs have to end when the executor is closed."""


class RayOptions(ExecutorOptions):
    address: str = Field(
        default="auto",
        pattern=r"^(auto|local|[^\s:/]+:\d+)$",
        description="of the cluster, HOST:PORT; auto: the one in RAY_ADDRESS, or that runs on this "
        "machine; local: one of this machine alone, started for the study",
    )
    cpus: float = Field(default=1, ge=0, description="cores that a job takes")
    gpus: float = Field(default=0, ge=0, description="GPUs that a job takes; 0.5: two jobs share")
    retries: int = Field(
        default=20, ge=-1, description="how often a job may lose its machine; -1: without end"
    )


class RayExecutor(Executor):
    """A task that loses its machine is started again elsewhere; it goes on with what its job has
    left in the study's folder."""

    name = "ray"
    Options = RayOptions
    options: RayOptions

    def __init__(self, options: RayOptions, jobs: int) -> None:
        super().__init__(options, jobs)
        self._running: dict[Any, str] = {}
        self._ray = connect(options.address)
        try:
            require_room(self._ray, options.cpus, options.gpus)
        except BaseException:
            self.close()
            raise
        self._run_job = self._ray.remote(
            num_cpus=options.cpus,
            num_gpus=options.gpus,
            max_retries=options.retries,
            max_calls=1,  # a worker of its own, which gives back the memory
        )(run_job)

    def start(self, job: Job) -> None:
        own = {name: value for name, value in os.environ.items() if name.startswith("USMT_")}
        job = replace(job, environment={**own, **job.environment})
        self._running[self._run_job.remote(job, Path.cwd())] = job.id

    def ended(self) -> list[Ended]:
        references = list(self._running)
        if not references:
            return []
        done, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        return [self._end_of(reference, self._running.pop(reference)) for reference in done]

    def _end_of(self, reference: Any, id: str) -> Ended:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.TaskCancelledError:
            return Ended(id, None, "stopped")
        except self._ray.exceptions.RayError as error:
            first = next(filter(None, map(str.strip, str(error).splitlines())), "")
            return Ended(id, None, f"{type(error).__name__}: {first}")

    def stop(self, id: str) -> None:
        for reference, each in self._running.items():
            if each == id:
                self._ray.cancel(reference)

    def close(self) -> None:
        if self._running and self._ray.is_initialized():
            references = list(self._running)
            for reference in references:
                self._ray.cancel(reference)
            self._ray.wait(references, num_returns=len(references), timeout=LEAVE)
        self._ray.shutdown()  # ends the workers that are there still, and those their jobs
