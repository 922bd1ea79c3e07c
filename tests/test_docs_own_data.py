"""docs/how_to/own_data.md: its YAML, written out as it stands, reads the data it speaks of."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from command_line import Usmt
from PIL import Image

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "how_to" / "own_data.md").read_text(encoding="utf-8")
FILES = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", TEXT, re.M | re.S)
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", TEXT, re.M | re.S)
    for line in block.splitlines()
]
HEADER = re.search(r"^```text\n(file,.*)\n", TEXT, re.M)
QUICK = (
    "--set epochs=1 --set image_size=64 --set workers=0 --set moe.experts=2 "
    "--set backbone.name=vit_tiny_patch16_dinov3_qkvb --set backbone.weights=none "
    "--set 'task_types.segmentation={fusion_channels: 16}'"
)


def put(path: Path, rng: np.random.Generator, bright: np.ndarray | None = None) -> None:
    pixels = rng.integers(30, 90, (64, 80))
    if bright is not None:
        pixels[bright] += 120
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    """The folder that the page speaks of, with a few images of each kind."""
    rng, root = np.random.default_rng(0), tmp_path / "data" / "ward"
    for patient in range(1, 21):
        kind = ("malignant", "benign")[patient % 2]
        for number in (1, 2):
            put(root / "breast" / kind / f"P{patient:03d}_{number}.png", rng)
    put(root / "breast" / "unclear" / "P099_1.png", rng)
    for number in range(1, 17):
        mask = np.zeros((64, 80), np.uint8)
        mask[10 : 20 + number, 15 : 30 + number] = 255
        put(root / "nodules" / "images" / f"{number:04d}.png", rng, mask > 0)
        (root / "nodules" / "masks").mkdir(exist_ok=True)
        Image.fromarray(mask).save(root / "nodules" / "masks" / f"{number:04d}.png")
    assert HEADER is not None
    rows = [HEADER[1]]
    for number in range(1, 25):
        put(root / "heads" / f"{number:04d}.png", rng)
        points = f"31,{20 + number},60,42" if number % 4 else ",,,"
        quality = "good" if number % 4 else "poor"
        rows.append(f"heads/{number:04d}.png,P{100 + number},{points},{number % 2},{quality}")
    (root / "heads.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    put(tmp_path / "new_scans" / "a.png", rng)
    for name, text in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_the_page_s_commands_in_their_order(
    usmt: Usmt, ward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ward / "breast" / "unclear").rename(tmp_path / "unclear")  # of a block further on
    monkeypatch.chdir(tmp_path)
    assert len(FILES) == 6 and len(COMMANDS) == 8
    for command in COMMANDS:
        text = command.replace("/data/ward", str(ward))
        text += f" {QUICK}" if " train " in command else ""
        answer = usmt(*shlex.split(text)[1:])
        assert answer.code == 0, f"{command}\n{answer.out}{answer.err}"
    assert (tmp_path / "labels.html").is_file()
    [result] = (tmp_path / "outlines" / "ward_nodule").glob("*.json")
    assert "nodule" in result.read_text()
    assert len(list((tmp_path / "all_outlines").rglob("*.png"))) == 16


def test_what_the_page_says_of_its_blocks(usmt: Usmt, ward: Path, tmp_path: Path) -> None:
    def check(dataset: str, task: str) -> list[dict[str, str]]:
        own = ("--specs", tmp_path / "my_specs", "--task", task, "--json")
        return usmt("data", "check", f"{dataset}={ward}", *own).data["defects"]

    errors = [one["reason"] for one in check("folder", "ward_breast") if one["severity"] == "error"]
    assert len(errors) == 1 and "'unclear' is no class" in errors[0]
    for dataset, task in (("folder", "ward_lesion_seen"), ("csv", "ward_head")):
        assert not [one for one in check(dataset, task) if one["severity"] == "error"]
    stats = usmt("data", "stats", f"csv={ward}", "--specs", tmp_path / "my_specs", "--json").data
    records = {task: stats["tasks"][task]["records"] for task in ("ward_head", "ward_plane")}
    assert records == {"ward_head": 18, "ward_plane": 24}
