"""Every command that README and docs show is run, shortened where it would train for long.

Other blocks of code: test_docs_code.py.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHORT = (
    "--set epochs=1 --set image_size=64 --set data.phantom='{images: 12, size: 64}' "
    "--set moe.experts=2 --set backbone.name=vit_tiny_patch16_dinov3_qkvb "
    "--set backbone.weights=none --set workers=0 "
    "--set task_types.segmentation='{fusion_channels: 16, intermediate_channels: [16, 16, 16, 16]}'"
)
SHORT_STUDY = SHORT.replace("--set epochs=1", "--budget epochs=1 --seeds 0")
SHORT_REAL = SHORT.replace("--set data.phantom='{images: 12, size: 64}' ", "")
SHORT_STUDY_REAL = SHORT_REAL.replace("--set epochs=1", "--budget epochs=1 --seeds 0")


FEW_PLANTED = "--images 40 --test 10"
SHORT_FAMILY = "--budget epochs=1 --seeds 0 --groups family_sharing --paradigms cg,au"
WITH_CODE = ("measurements.md",)
"""Pages whose Python works on what their commands have made."""


def commands(page: Path) -> list[str]:
    """The lines of a page's console blocks, continuation lines joined."""
    blocks = re.findall(r"^```console\n(.*?)^```", page.read_text(), re.M | re.S)
    text = "".join(blocks).replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]


def shortened(command: str) -> str:
    if command.startswith("usmt train --resume"):
        return command
    if " phantom family " in command:
        return f"{command} {FEW_PLANTED}"
    if " study run family/" in command:  # which brings a small network of its own
        return f"{command} {SHORT_FAMILY}"
    if re.search(r" study (plan|run) .*(--groups|\.yaml)", command):
        if "--data" in command:  # of the real pack: one of its groups, and a task besides
            fewer = "--groups realus_lung --tasks organ_5cls --paradigms ts,cg"
            specs = "" if "--specs" in command else "--specs tests/realus_specs"
            return f"{command} {SHORT_STUDY_REAL} {fewer} {specs}"
        return f"{command} {SHORT_STUDY}"
    if " train " in command:
        return f"{command} {SHORT if '--data' not in command else SHORT_REAL}"
    return command


@pytest.fixture
def workplace(tmp_path: Path, realus: Path) -> Path:
    """A reader's folder, with those of a checkout that the pages speak of, and a scan."""
    scan = next((realus / "Segmentation" / "Two" / "hc18" / "imgs").glob("*.png"))
    (tmp_path / "scan.png").symlink_to(scan)
    for name in ("tests", "docs", "benchmarks", "task_specs"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


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
    assert sum(len(commands(page)) for page in PAGES) > 30


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda p: p.name)
def test_the_commands_of_a_page_in_their_order(page: Path, workplace: Path, realus: Path):
    for command in commands(page):
        run_as_read(command, workplace, realus)
    if page.name in WITH_CODE:
        for code in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S):
            run_as_read(f"python -c {shlex.quote(code)}", workplace, realus)


def run_as_read(command: str, workplace: Path, realus: Path) -> None:
    if shlex.split(command)[0] == "make":
        target = shlex.split(command)[1]
        done = usmt(ROOT, f"make --dry-run {target}")
        shown = {"demo": "usmt train --group ob", "test": "pytest"}[target]
        assert done.returncode == 0 and shown in done.stdout
        return
    local = shortened(command).replace("../shared/data/realus", str(realus))
    if "/data/fmc" in local:  # the challenge's data: here, the real pack and a task that it holds
        local = re.sub(r"/data/fmc(/train|/val)?", str(realus), local)
        local = local.replace("--group ob", "--task fetal_head --task breast_2cls")
    done = usmt(workplace, local)
    assert done.returncode == 0, f"{local}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
