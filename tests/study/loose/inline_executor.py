"""An executor as somebody else would write it: jobs one after the other, in this process."""

from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from usmt import Ended, Executor, ExecutorOptions, Job, hookimpl


class InlineOptions(ExecutorOptions):
    """`refuse`: a file that lists ids of jobs that end badly."""

    refuse: Path | None = None


class Inline(Executor):
    name = "inline"
    Options = InlineOptions

    def __init__(self, options: InlineOptions, jobs: int) -> None:
        super().__init__(options, jobs)
        self.done: list[Ended] = []

    def start(self, job: Job) -> None:
        from usmt.cli.main import main

        refused = self.options.refuse.read_text().split() if self.options.refuse else []
        if job.id in refused:
            self.done.append(Ended(job.id, None, "its machine was on fire"))
            return
        assert list(job.command[1:3]) == ["-m", "usmt"]
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with job.log.open("a") as log, redirect_stdout(log), redirect_stderr(log):
            code = main(job.command[3:])
        self.done.append(Ended(job.id, code))

    def ended(self) -> list[Ended]:
        ended, self.done = self.done, []
        return ended

    def stop(self, id: str) -> None:
        """Too late: it has ended."""

    def close(self) -> None:
        """Nothing runs."""


@hookimpl
def usmt_executors() -> list[type[Executor]]:
    return [Inline]
