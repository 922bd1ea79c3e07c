"""Reaching a cluster, or saying in bounded time why not."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from contextlib import suppress
from typing import Any

from usmt import UsmtError

PATIENCE = 30
"""Seconds that a cluster has to answer."""
SMALL = 80 * 2**20
"""Bytes of the object store of a cluster of our own: jobs share files, not objects."""
OUT_OF_MEMORY_RETRIES = "3"
"""How often a job is tried again that took all of a machine's memory. Ray's own: without end."""
START = "Start one with 'ray start --head', and name it: --executor-set address=HOST:PORT"
TRIAL = "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False)"


def connect(address: str) -> Any:
    """The library ray, connected to the cluster. Raises `UsmtError`."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_task_oom_retries", OUT_OF_MEMORY_RETRIES)
    try:
        import ray
    except ImportError as error:
        raise UsmtError(
            f"the executor 'ray' needs the library ray ({error})", hint='pip install "usmt[ray]"'
        ) from None
    own: dict[str, Any] = {}
    if address == "local":
        own = {"include_dashboard": False, "object_store_memory": SMALL}
    else:
        address = os.environ.get("RAY_ADDRESS") or address if address == "auto" else address
        require_answer(address)
    _be_quiet()
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except Exception as error:  # of many kinds, some of them plain RuntimeErrors
        raise _unreached(address, str(error)) from None
    return ray


def _be_quiet() -> None:
    """What happens to machines Ray would print among our own answers, and no setting keeps it from
    that."""
    with suppress(ImportError):
        from ray._private import worker

        worker.print_to_stdstream = lambda *_, **__: None


def require_answer(address: str) -> None:
    """Raises `UsmtError` unless a cluster answers there in time.

    The library itself would try for minutes, and may end its process: it is tried in another."""
    host, _, port = address.rpartition(":")
    try:
        if host:
            socket.create_connection((host, int(port)), timeout=PATIENCE).close()
        trial = [sys.executable, "-c", TRIAL, address]
        done = subprocess.run(trial, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except OSError as error:
        raise _unreached(address, str(error)) from None
    except subprocess.TimeoutExpired:
        raise _unreached(address, f"no answer in {PATIENCE} seconds") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise _unreached(address, said[-1])


def _unreached(address: str, reason: str) -> UsmtError:
    return UsmtError(f"the Ray cluster '{address}' cannot be reached: {reason}", hint=START)


def require_room(ray: Any, cpus: float, gpus: float) -> None:
    """Raises `UsmtError` if no machine of the cluster could ever run a job."""
    machines = [
        (node["Resources"].get("CPU", 0), node["Resources"].get("GPU", 0))
        for node in ray.nodes()
        if node["Alive"]
    ]
    if not any(cores >= cpus and devices >= gpus for cores, devices in machines):
        there = "; ".join(f"{cores:g} cores, {devices:g} GPUs" for cores, devices in machines)
        raise UsmtError(
            f"a job takes {cpus:g} cores and {gpus:g} GPUs; the cluster's machines have: {there}",
            hint="Ask for what one machine has: --executor-set cpus=N --executor-set gpus=N",
        )
