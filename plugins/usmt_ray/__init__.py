"""The executor `ray`: the machines of a Ray cluster."""

from __future__ import annotations

from usmt import Executor, hookimpl
from usmt_ray.executor import RayExecutor

__all__ = ["RayExecutor"]


@hookimpl
def usmt_executors() -> list[type[Executor]]:
    return [RayExecutor]
