"""The executor `local`: processes of this machine."""

from __future__ import annotations

from usmt import Executor, hookimpl
from usmt_local.executor import LocalExecutor

__all__ = ["LocalExecutor"]


@hookimpl
def usmt_executors() -> list[type[Executor]]:
    return [LocalExecutor]
