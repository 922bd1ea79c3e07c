"""Every command that README and docs show is run, shortened where it would train for long.

Those of usmt in this process, for it takes longer to start one than to do what most of them ask.
Other blocks of code: test_docs_code.py.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Usmt

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
SHORT_PACK = f"{SHORT_REAL} --set split.fraction=0.2"
SHORT_STUDY_REAL = SHORT_REAL.replace(
    "--set epochs=1", "--budget epochs=1 --seeds 0 --fractions 0.2"
)
FEW_PLANTED = "--images 40 --test 10"
SHORT_FAMILY = "--budget epochs=1 --seeds 0 --groups family_sharing --paradigms cg,au"
INLINE = "--plugins-dir tests/study/loose --executor inline"
"""Jobs of a study in this process, too."""
SHELL = re.compile(r"[|&;<>$*]")
"""Needs a shell to be understood."""
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
    if command == "python benchmarks/phantom.py":
        return f"{command} --images 10 --rounds 1"
    if " study run " in command:
        command = f"{command} {INLINE}"
    if " study run family/" in command:  # which brings a small network of its own
        return f"{command} {SHORT_FAMILY}"
    if re.search(r" study (plan|run) .*(--groups|\.yaml)", command):
        if "--data" in command:  # of the real pack: one of its groups, and a task besides
            fewer = "--groups realus_lung --tasks organ_5cls --paradigms ts,cg"
            specs = "" if "--specs" in command else "--specs tests/realus_specs"
            return f"{command} {SHORT_STUDY_REAL} {fewer} {specs}"
        return f"{command} {SHORT_STUDY}"
    if " train --group realus " in command:  # all that the pack has
        return f"{command} {SHORT_PACK}"
    if " train " in command:
        return f"{command} {SHORT if '--data' not in command else SHORT_REAL}"
    return command


@pytest.fixture
def workplace(tmp_path: Path, realus: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A reader's folder, with those of a checkout that the pages speak of, and a scan."""
    scan = next((realus / "Segmentation" / "Two" / "hc18" / "imgs").glob("*.png"))
    (tmp_path / "scan.png").symlink_to(scan)
    for name in ("tests", "docs", "benchmarks", "task_specs"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name, module in list(sys.modules.items()):  # plugins that a page has written
        if Path(getattr(module, "__file__", None) or "/").is_relative_to(tmp_path):
            del sys.modules[name]


def in_shell(place: Path, command: str) -> subprocess.CompletedProcess[str]:
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=place,
        env={**os.environ, "PATH": binaries, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_is_there(tmp_path: Path):
    done = in_shell(tmp_path, "usmt --version")
    assert done.returncode == 0 and done.stdout.startswith("usmt "), done.stderr


def test_pages_have_commands():
    assert sum(len(commands(page)) for page in PAGES) > 30


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda p: p.name)
def test_the_commands_of_a_page_in_their_order(
    page: Path, workplace: Path, realus: Path, usmt: Usmt
):
    for command in commands(page):
        run_as_read(command, workplace, realus, usmt)
    if page.name in WITH_CODE:
        for code in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S):
            run_as_read(f"python -c {shlex.quote(code)}", workplace, realus, usmt)


def run_as_read(command: str, workplace: Path, realus: Path, usmt: Usmt) -> None:
    if shlex.split(command)[0] == "make":
        target = shlex.split(command)[1]
        done = in_shell(ROOT, f"make --dry-run {target}")
        shown = {"demo": "usmt train --group ob", "test": "pytest"}[target]
        assert done.returncode == 0 and shown in done.stdout
        return
    local = shortened(command).replace("../shared/data/realus", str(realus))
    if "/data/fmc" in local:  # the challenge's data: here, the real pack and a task that it holds
        local = re.sub(r"/data/fmc(/train|/val)?", str(realus), local)
        local = local.replace("--group ob", "--task fetal_head --task breast_2cls")
    first, *arguments = shlex.split(local)
    if first == "usmt" and not SHELL.search(local):
        code, out, err = usmt(*arguments)
    else:
        done = in_shell(workplace, local)
        code, out, err = done.returncode, done.stdout, done.stderr
    assert code == 0, f"{local}\n{out[-1500:]}\n{err[-3000:]}"
