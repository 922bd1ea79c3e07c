"""A job's command on a leash: it lives no longer than the process that started it.

Run as a script, `python leash.py GRACE COMMAND...`, as the leader of a process group; on the
standard library alone, so that it costs little beside the job. `usmt.JobProcess` runs it. GRACE is
in seconds, from SIGTERM to SIGKILL.

- stdin is a pipe that the starter holds. At its end the starter is gone, and the whole group is
  killed at once: somebody else may be about to go on with the job.
- stdout is a pipe too: it tells why the command could not be started, if it could not.
- stderr is the job's log. The command writes there, and holds a lock on it while it lives, so that
  no second process does the same job meanwhile.

It ends as the command does: with its exit status, or by its signal.
"""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
import sys
import threading


def main() -> None:
    grace, *command = sys.argv[1:]
    threading.Thread(target=watch_starter, daemon=True).start()
    wait_for_turn()
    signal.signal(signal.SIGALRM, lambda *_: kill_group())
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(int(grace)))  # the command has it as well
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr
        )
    except OSError as error:
        sys.stdout.write(f"cannot be started: {error}")
        sys.exit(127)
    code = process.wait()
    if code < 0:
        die_of(-code)
    sys.exit(code)


def watch_starter() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    kill_group()


def wait_for_turn() -> None:
    """Some file systems have no locks; there nothing is waited for."""
    log = sys.stderr.fileno()
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.write(log, b"usmt: waiting, for another process still works at this job\n")
        fcntl.flock(log, fcntl.LOCK_EX)
    except OSError:
        pass


def kill_group() -> None:
    os.killpg(0, signal.SIGKILL)


def die_of(number: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command has left its core, if any
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    main()
