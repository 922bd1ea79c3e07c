"""Every command that README and docs show is run, shortened where it would train for long."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHORT = (
    "--set epochs=1 --set image_size=64 --set data.phantom='{images: 12, size: 64}' "
    "--set moe.experts=2 --set backbone.name=vit_tiny_patch16_dinov3_qkvb "
    "--set backbone.weights=none --set workers=0 "
    "--set task_types.segmentation='{fusion_channels: 16, intermediate_channels: [16, 16, 16, 16]}'"
)
SHORT_REAL = SHORT.replace("--set data.phantom='{images: 12, size: 64}' ", "")


def commands(page: Path) -> list[str]:
    """The lines of a page's console blocks, continuation lines joined."""
    blocks = re.findall(r"^```console\n(.*?)^```", page.read_text(), re.M | re.S)
    text = "".join(blocks).replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]


ALL = [(page.relative_to(ROOT), command) for page in PAGES for command in commands(page)]


def shortened(command: str) -> str:
    if command.startswith("usmt train --resume"):
        return command
    if " train " in command:
        return f"{command} {SHORT if '--data' not in command else SHORT_REAL}"
    return command


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, realus: Path) -> Path:
    """A folder in which the placeholders of the docs exist: `runs/ob`, and a checkout's folders."""
    place = tmp_path_factory.mktemp("reader")
    for name in ("tests", "docs", "benchmarks", "task_specs"):
        (place / name).symlink_to(ROOT / name)
    usmt(place, f"usmt train --task fetal_head --task fetal_femur {SHORT} --out runs/ob")
    return place


def usmt(place: Path, command: str) -> subprocess.CompletedProcess[str]:
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=place,
        env={**os.environ, "PATH": binaries, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_pages_have_commands():
    assert len(ALL) > 15


@pytest.mark.parametrize(("page", "command"), ALL, ids=[f"{p}: {c}" for p, c in ALL])
def test_command(page: Path, command: str, workplace: Path, realus: Path):
    program = shlex.split(command)[0]
    if program == "make":
        target = shlex.split(command)[1]
        done = usmt(ROOT, f"make --dry-run {target}")
        assert done.returncode == 0
        assert {"demo": "usmt train --group ob", "test": "pytest", "lint": "mypy"}[
            target
        ] in done.stdout
        return
    local = shortened(command).replace("../shared/data/realus", str(realus))
    if "/data/fmc" in local:  # the challenge's data: here, the real pack and a task that it holds
        local = local.replace("/data/fmc/train", str(realus)).replace("/data/fmc", str(realus))
        local = local.replace("--group ob", "--task fetal_head --task breast_2cls")
    done = usmt(workplace, local)
    assert done.returncode == 0, f"{local}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
