"""Checkpoints are whole or refused, whenever the writer is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from usmt import UsmtError
from usmt.train.checkpoint import Checkpoint, load_checkpoint, recover, save_checkpoint


def sample(value: float, size: int = 8) -> Checkpoint:
    parameter = torch.nn.Parameter(torch.full((size,), float(value)))
    optimizer = torch.optim.AdamW([parameter])
    parameter.grad = torch.ones(size)
    optimizer.step()
    weights = {"layer.weight": torch.full((size,), float(value))}
    return Checkpoint(weights, {"epoch": int(value)}, optimizer.state_dict())


def test_round_trip(tmp_path: Path):
    save_checkpoint(tmp_path / "last", sample(3))
    found = load_checkpoint(tmp_path / "last")
    assert torch.equal(found.weights["layer.weight"], torch.full((8,), 3.0))
    assert found.state == {"epoch": 3}
    assert found.optimizer is not None and found.optimizer["state"][0]["step"] == 1
    assert {p.name for p in (tmp_path / "last").iterdir()} == {
        "model.safetensors",
        "optimizer.pt",
        "state.json",
        "manifest.json",
    }
    assert [p.name for p in tmp_path.iterdir()] == ["last"]


def test_weights_alone(tmp_path: Path):
    save_checkpoint(tmp_path / "best", Checkpoint({"w": torch.ones(2)}, {}))
    assert load_checkpoint(tmp_path / "best").optimizer is None


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "state.json"])
@pytest.mark.parametrize("harm", ["cut", "flip", "remove", "empty"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, name: str, harm: str):
    folder = tmp_path / "last"
    save_checkpoint(folder, sample(1))
    content = (folder / name).read_bytes()
    if harm == "remove":
        (folder / name).unlink()
    else:
        middle = len(content) // 2
        (folder / name).write_bytes(
            {
                "cut": content[:middle],
                "flip": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
                "empty": b"",
            }[harm]
        )
    with pytest.raises(UsmtError, match=rf"last: the checkpoint is damaged: {name}"):
        load_checkpoint(folder)


def test_a_tampered_manifest_is_refused(tmp_path: Path):
    folder = tmp_path / "last"
    save_checkpoint(folder, sample(1))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["../other"] = "0"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UsmtError, match="damaged"):
        load_checkpoint(folder)
    (folder / "manifest.json").write_text("[]")
    with pytest.raises(UsmtError, match="manifest"):
        load_checkpoint(folder)


def test_no_code_of_a_checkpoint_is_run(tmp_path: Path):
    """A pickle that would write a file, with a manifest that vouches for it."""
    import hashlib
    import pickle

    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "trapped"),))

    folder = tmp_path / "last"
    save_checkpoint(folder, sample(1))
    (folder / "optimizer.pt").write_bytes(pickle.dumps(Trap()))
    manifest = json.loads((folder / "manifest.json").read_text())
    digest = hashlib.sha256((folder / "optimizer.pt").read_bytes()).hexdigest()
    manifest["sha256"]["optimizer.pt"] = digest
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UsmtError, match="damaged"):
        load_checkpoint(folder)
    assert not (tmp_path / "trapped").exists()


def test_a_replacement_cut_between_its_renames_is_finished(tmp_path: Path):
    save_checkpoint(tmp_path / "last", sample(1))
    save_checkpoint(tmp_path / "next", sample(2))
    (tmp_path / "last").rename(tmp_path / ".last.old")
    (tmp_path / "next").rename(tmp_path / ".last.new")
    recover(tmp_path / "last")
    assert load_checkpoint(tmp_path / "last").state == {"epoch": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["last"]


WRITER = """
import sys, itertools
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_checkpoint import sample
from usmt.train.checkpoint import save_checkpoint
save_checkpoint(Path({folder!r} + "-first"), sample(1))
print("ready", flush=True)
for count in itertools.count(1):
    save_checkpoint(Path({folder!r}), sample(count, 200_000))
"""


def test_kill_at_any_moment_leaves_a_whole_checkpoint(tmp_path: Path):
    code = WRITER.format(tests=str(Path(__file__).parent), folder=str(tmp_path / "last"))
    newest = 0
    for delay in (0.05, 0.11, 0.17, 0.23):
        writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        recover(tmp_path / "last")
        if (tmp_path / "last").exists():
            found = load_checkpoint(tmp_path / "last")
            value = found.weights["layer.weight"][0].item()
            assert found.state["epoch"] == value >= 1
            newest = max(newest, int(value))
    assert newest >= 1
