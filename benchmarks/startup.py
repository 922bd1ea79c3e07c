"""How long the commands that only look around take, beside an interpreter that does nothing.

python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

COMMANDS = (
    ["--version"],
    ["tasks", "list"],
    ["tasks", "show", "breast_lesion"],
    ["groups", "list"],
    ["groups", "show", "ob"],
    ["plugins", "list"],
)


def seconds(command: list[str], repeats: int) -> float:
    """The least wall time of several runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    nothing = seconds([sys.executable, "-c", "pass"], repeats)
    torch = seconds([sys.executable, "-c", "import torch"], repeats)
    print(f"{'command':30} {'seconds':>8} {'/ python':>9} {'/ import torch':>15}")
    for arguments in COMMANDS:
        took = seconds([sys.executable, "-m", "usmt", *arguments], repeats)
        name = " ".join(["usmt", *arguments])
        print(f"{name:30} {took:8.2f} {took / nothing:9.1f} {took / torch:15.2f}")


if __name__ == "__main__":
    main()
