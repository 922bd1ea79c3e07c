"""What a worker of the cluster does: one job."""

from __future__ import annotations

import os
import time
from pathlib import Path

from usmt import Ended, Job, JobProcess

LOOK = 0.1
"""Seconds between two looks at the job."""


def run_job(job: Job, folder: Path) -> Ended:
    """Runs it to its end. However this worker ends, its job's processes end with it."""
    machine = os.getppid()  # Ray's own process on this machine
    process = JobProcess(job, folder)
    try:
        while (ended := process.ended()) is None:
            time.sleep(LOOK)
            if os.getppid() != machine:
                os._exit(1)  # the cluster counts this machine as lost: the job is another's now
        return ended
    finally:
        process.close()
