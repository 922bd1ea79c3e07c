"""A job as a process of this machine, for executors that start processes themselves.

Import this from `usmt`, not from here. POSIX only. This module imports no torch.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from usmt.executor import Ended, Job

GRACE = 10
"""Seconds from SIGTERM to SIGKILL."""
LEASH = Path(__file__).with_name("leash.py")
LIKELY = {"SIGKILL": " (out of memory?)"}


class JobProcess:
    """One job, started: a process group with a session of its own, which Ctrl-C does not reach.

    It appends to the job's log. The whole group ends with the process that started it, however
    that ends; a second process for the same log waits until the first is gone.

    Args:
        folder: where it runs; by default, where this process does.
    """

    def __init__(self, job: Job, folder: Path | None = None) -> None:
        self.id = job.id
        self._stopped = False
        self._ended: Ended | None = None
        try:
            job.log.parent.mkdir(parents=True, exist_ok=True)
            with job.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(LEASH), str(GRACE), *job.command],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd=folder,
                    env={**os.environ, **job.environment},
                    start_new_session=True,
                )
        except OSError as error:
            self._ended = Ended(job.id, None, f"cannot be started: {error}")

    def ended(self) -> Ended | None:
        """How it ended; None while it runs. Never waits."""
        if self._ended is None and self._process.poll() is not None:
            self._signal(signal.SIGKILL)  # what the command left behind
            message, _ = self._process.communicate()
            self._ended = self._told(self._process.returncode, message.decode(errors="replace"))
        return self._ended

    def _told(self, code: int, unstarted: str) -> Ended:
        if unstarted:
            return Ended(self.id, None, unstarted)
        if self._stopped:
            return Ended(self.id, code, "stopped")
        if code < 0:
            name = signal.Signals(-code).name
            return Ended(self.id, code, f"killed by {name}{LIKELY.get(name, '')}")
        return Ended(self.id, code)

    def stop(self) -> None:
        """Sends SIGTERM to all of it, and SIGKILL to what is left after some seconds. Does not
        wait for that."""
        if self.ended() is None:
            self._stopped = True
            self._signal(signal.SIGTERM)

    def close(self) -> None:
        """Stops it, and waits until it is gone."""
        self.stop()
        if self._ended is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE)
            self._signal(signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):  # one that hangs in the kernel
                self._process.wait(GRACE)
            self.ended()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS: there are only zombies left
            os.killpg(self._process.pid, number)
