"""An environment as a user's: usmt from its wheel, and nothing of the working tree."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

RUN_ALL = """
import sys
from usmt.cli.main import main
for line in sys.argv[1:]:
    print("$ usmt", line, flush=True)
    if code := main(__import__("shlex").split(line)):
        sys.exit(code)
"""


class CleanEnvironment:
    """A virtual environment. What usmt depends on is not installed again: it is found behind, in
    the environment of the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _checked([sys.executable, "-m", "venv", "--without-pip", str(folder)], folder.parent)
        self.python = folder / "bin" / "python"
        found = self.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
        self.site = Path(found.strip())
        self._pip("install", "hatchling>=1.24")  # with its own dependencies, before any is found
        behind = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
        (self.site / "behind.pth").write_text("\n".join(behind) + "\n", encoding="utf-8")
        self.install(ROOT)

    def install(self, *distributions: Path) -> None:
        """Builds their wheels, and installs those."""
        wheels = self.folder / "wheels"
        self._pip(
            *("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)),
            *map(str, distributions),
        )
        new = sorted(wheels.glob("*.whl"))
        self._pip("install", "--no-index", "--no-deps", "--ignore-installed", *map(str, new))
        for wheel in new:
            wheel.unlink()

    def run(self, *arguments: str, cwd: Path | None = None) -> str:
        """Runs its Python, and gives what it printed. A failure fails the test."""
        return _checked([str(self.python), *arguments], cwd or self.folder)

    def usmt(self, *lines: str, cwd: Path) -> str:
        """Runs command lines, one after another, in one process: torch is slow to import."""
        return self.run("-c", RUN_ALL, *lines, cwd=cwd)

    def pytest(self, *tests: Path, cwd: Path) -> str:
        """Runs tests that know nothing of those that run them."""
        quiet = ("-q", "-p", "no:cacheprovider", "--rootdir", str(cwd), "-c", os.devnull)
        return self.run("-m", "pytest", *quiet, *map(str, tests), cwd=cwd)

    def _pip(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "pip", "--python", str(self.python), "-q", *arguments]
        _checked([*command], self.folder)


def _checked(command: list[str], cwd: Path) -> str:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHONPATH", "PYTEST", "USMT_"))
    }
    environment |= {"OMP_NUM_THREADS": "1", "USMT_CACHE": str(cwd / "cache")}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    said = f"{shlex.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    assert done.returncode == 0, said
    return done.stdout


@pytest.fixture(scope="session")
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> CleanEnvironment:
    return CleanEnvironment(tmp_path_factory.mktemp("clean") / "environment")
