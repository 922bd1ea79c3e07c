"""The dataset `pocus`, on folders laid out as the repository covid19_ultrasound is; the videos are
written here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import Usmt
from made_files import write_image
from PIL import Image
from reading import TINY, by_key, opened, plugins, task

from usmt import DataError
from usmt.testing import check_dataset

HEADER = "Date added,Current location,Filename,Label,Type,,Patient ID / Name,Other"
CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".mov": "mp4v", ".mpeg": "PIM1"}
RATE, LENGTH, SIZE = 25, 22, 64
"""Frames a second, frames, pixels of a side. Three a second are every eighth frame."""


def pictures(seed: int, length: int = LENGTH) -> list[np.ndarray]:
    """uint8 (SIZE, SIZE, 3) RGB: a still of blocks in blue, and red that rises by 10 a frame."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4), np.uint8)
    blue = np.kron(blocks, np.ones((SIZE // 4, SIZE // 4), np.uint8))
    nothing = np.zeros_like(blue)
    return [np.dstack([nothing + 10 * t, nothing, blue]) for t in range(length)]


def write_video(path: Path, seed: int = 0, length: int = LENGTH) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix.lower()
    if suffix == ".gif":
        first, *others = (Image.fromarray(each) for each in pictures(seed, length))
        first.save(path, save_all=True, append_images=others, duration=1000 // RATE)
        return
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODECS[suffix]), RATE, (SIZE, SIZE))
    assert writer.isOpened()
    for each in pictures(seed, length):
        writer.write(each[..., ::-1])
    writer.release()


VIDEOS = {
    "convex/Cov-Atlas+(44).gif": ("data/pocus_videos/Convex", "COVID-19", "36"),
    "convex/Cov-Atlas-Day+1.mp4": ("data/pocus_videos/Convex", "COVID-19", "35"),
    "convex/Pneu-grep-pneumonia1.mp4": ("data/pocus_videos/Convex", "Bacterial pneumonia", "50"),
    "convex/pneu-radiopaeda.mov": ("pocus_videos/convex", "Bacterial pneumonia", "70"),
    "convex/Reg-nephropocus.avi": ("pocus_videos/convex", "regular", "74"),
    "convex/Vir_liftl_case2_clip1.mp4": ("data/pocus_videos/Convex", "Viral pneumonia", "5"),
    "linear/Reg-nephropocus.mp4": ("data/pocus_videos/Linear", "regular", "77"),
    "linear/Cov_bolzano_linee B.mpeg": ("pocus_videos/linear", "COVID-19", ""),
}
IMAGES = {
    "convex/Cov_Oliviera_2020_Fig4A.jpg": ("pocus_images/convex", "COVID-19", "220"),
    "convex/Pneu_Avi_consolidated-lung.JPG": ("pocus_images/convex", "Bacterial pneumonia", "9"),
    "convex/Reg_bikus.png": ("pocus_images/Convex", "Regular", "36"),
}


def write_metadata(root: Path, *more: str) -> None:
    """Some rows lack the last cell, and a cell has two lines, as in the original."""
    lines = [HEADER, '20.04.20,butterfly,Cov-Butterfly-Lung 2,COVID-19,video,"a, b\nc",1']
    for name, (place, label, patient) in {**VIDEOS, **IMAGES}.items():
        lines.append(f"20.04.20,{place},{Path(name).stem},{label},video,,{patient},")
    (root / "data/dataset_metadata.csv").write_text("\n".join([*lines, *more]) + "\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    top = tmp_path / "covid19_ultrasound"
    for seed, name in enumerate(VIDEOS):
        write_video(top / "data/pocus_videos" / name, seed)
    for name in IMAGES:
        write_image(top / "data/pocus_images" / name)
    write_metadata(top)
    return top


def test_it_is_a_dataset_as_usmt_expects_it(root: Path):
    tasks = [task("pocus_lung_3cls"), task("pocus_lung_4cls")]
    check_dataset(opened("pocus", root), tasks=tasks, unfit=[task("camus_heart")], defects=0)


def test_every_eighth_frame_of_each_kind_of_video_is_read(root: Path):
    data, spec = opened("pocus", root), task("pocus_lung_4cls", layout={"media": ["videos"]})
    records = by_key(data, spec)
    numbers = range(0, LENGTH, RATE // 3)
    names = [f"data/pocus_videos/{name}" for name in VIDEOS]
    assert sorted(records) == sorted(f"{name}#{n}" for name in names for n in numbers)
    for seed, name in enumerate(names):
        for n in numbers:
            image = data.read_image(records[f"{name}#{n}"]).astype(int)
            assert image.shape == (SIZE, SIZE, 3)
            assert abs(image[..., 0].mean() - 10 * n) < 12, f"{name}: another frame than {n}"
            assert np.abs(image[..., 2] - pictures(seed)[n][..., 2]).mean() < 25


def test_the_rate_and_number_of_frames_are_options(root: Path):
    spec = task("pocus_lung_3cls", layout={"media": ["videos"]}, classes=["covid", "viral"])
    data = opened("pocus", root, frame_rate=7.5, max_frames=4)
    numbers = {record.key.rpartition("#")[2] for record in data.records(spec)}
    assert numbers == {"0", "3", "6", "9"}
    every = opened("pocus", root, frame_rate=100, max_frames=999).records(spec)
    assert sum("Day+1" in record.key for record in every) == LENGTH


def test_class_probe_and_patient(root: Path):
    data, spec = opened("pocus", root), task("pocus_lung_3cls")
    records = data.records(spec)
    assert {Path(record.key).parent.name for record in records} == {"convex"}
    found = {
        (Path(record.key).name.partition("#")[0], record.source_id, data.read_label(record, spec))
        for record in records
    }
    assert found == {
        ("Cov-Atlas+(44).gif", "patient 36", 0),
        ("Cov-Atlas-Day+1.mp4", "patient 35", 0),
        ("Pneu-grep-pneumonia1.mp4", "patient 50", 1),
        ("pneu-radiopaeda.mov", "patient 70", 1),
        ("Reg-nephropocus.avi", "patient 74", 2),
        ("Cov_Oliviera_2020_Fig4A.jpg", "patient 220", 0),
        ("Pneu_Avi_consolidated-lung.JPG", "patient 9", 1),
        ("Reg_bikus.png", "patient 36", 2),
    }
    linear = data.records(task("pocus_lung_4cls", layout={"probes": ["linear"]}))
    assert {record.source_id for record in linear} == {
        "patient 77",
        "data/pocus_videos/linear/Cov_bolzano_linee B.mpeg",
    }


def test_a_spec_that_the_files_cannot_serve():
    pocus = plugins().datasets["pocus"]
    (misfit,) = pocus.misfits(task("pocus_lung_3cls", classes=["covid", "healthy"]))
    assert "no class 'healthy'" in misfit


@pytest.mark.parametrize("name", ["convex/Cov-Atlas-Day+1.mp4", "convex/pneu-radiopaeda.mov"])
def test_a_video_that_cannot_be_opened_is_one_defect(root: Path, name: str):
    video = root / "data/pocus_videos" / name
    video.write_bytes(video.read_bytes()[: int(video.stat().st_size * 0.6)])
    data, spec = opened("pocus", root), task("pocus_lung_3cls")
    (bad,) = (record for record in data.records(spec) if record.defect)
    assert bad.place == f"data/pocus_videos/{name}"
    assert bad.defect == f"{video.name}: cannot be read as a video"
    for read in (lambda: data.read_image(bad), lambda: data.read_label(bad, spec)):
        with pytest.raises(DataError, match="cannot be read as a video"):
            read()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("convex/Reg-nephropocus.avi", "cut off or damaged: frame"),
        ("convex/Cov-Atlas+(44).gif", "cut off: it does not end as a GIF does"),
    ],
)
def test_no_frame_of_a_video_that_is_cut_off_is_read(root: Path, name: str, said: str):
    video = root / "data/pocus_videos" / name
    video.write_bytes(video.read_bytes()[: int(video.stat().st_size * 0.6)])
    data, spec = opened("pocus", root), task("pocus_lung_3cls")
    frames = [record for record in data.records(spec) if video.name in record.key]
    assert frames
    for record in frames:
        with pytest.raises(DataError, match=f"{re.escape(video.name)}: {said}"):
            data.read_image(record)


def test_data_check_names_what_is_no_video_and_no_image(usmt: Usmt, root: Path):
    (root / "data/pocus_videos/convex/Cov-empty.mp4").write_bytes(b"")
    (root / "data/pocus_videos/convex/Cov-text.mp4").write_bytes(b"text")
    image = root / "data/pocus_images/convex/Reg_bikus.png"
    image.write_bytes(image.read_bytes()[:60])
    answer = usmt("data", "check", f"pocus={root}", "--task", "pocus_lung_3cls", "--json")
    assert answer.code == 1
    told = {
        Path(each["place"]).name: (each["kind"], each["reason"])
        for each in answer.data["defects"]
        if each["severity"] == "error"
    }
    assert set(told) == {"Cov-empty.mp4", "Cov-text.mp4", "Reg_bikus.png"}
    assert told["Cov-empty.mp4"] == ("empty file", "Cov-empty.mp4: not a video: the file is empty")
    assert told["Cov-text.mp4"][0] == "unreadable video"


def test_what_the_decoder_says_is_not_for_people(root: Path):
    video = root / "data/pocus_videos/convex/Cov-Atlas-Day+1.mp4"
    video.write_bytes(video.read_bytes()[:500])
    command = [sys.executable, "-m", "usmt", "data", "check", f"pocus={root}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Cov-Atlas-Day+1.mp4: cannot be read as a video" in done.stdout
    assert "moov" not in done.stderr and "VIDEOIO" not in done.stderr


def test_a_frame_may_be_written_to(root: Path):
    data = opened("pocus", root)
    record = by_key(data, task("pocus_lung_3cls"))["data/pocus_videos/convex/Cov-Atlas-Day+1.mp4#8"]
    first = data.read_image(record)
    first[:] = 0
    assert data.read_image(record).any()


def test_a_video_that_is_gone_after_it_was_listed(root: Path):
    data = opened("pocus", root)
    record = by_key(data, task("pocus_lung_3cls"))["data/pocus_videos/convex/Cov-Atlas-Day+1.mp4#8"]
    (root / "data/pocus_videos/convex/Cov-Atlas-Day+1.mp4").unlink()
    with pytest.raises(DataError, match=r"Cov-Atlas-Day\+1.mp4: there is no such file"):
        data.read_image(record)
    assert data.fingerprint(record) is None


def test_a_name_without_a_class_is_a_defect(root: Path):
    write_image(root / "data/pocus_images/convex/lung.png")
    records = opened("pocus", root).records(task("pocus_lung_3cls"))
    (bad,) = (record for record in records if record.defect)
    assert bad.place == "data/pocus_images/convex/lung.png"
    assert "none of Cov, Pneu, Reg, Vir" in str(bad.defect)


def test_what_is_odd_is_remarked_on(root: Path):
    assert opened("pocus", root).remarks() == []
    write_image(root / "data/pocus_images/convex/Cov_new.png")
    write_video(root / "data/pocus_videos/linear/label_uncertain/Cov_bolzano_WL.avi")
    lines = (
        (root / "data/dataset_metadata.csv")
        .read_text()
        .replace(",regular,video,,74", ",COVID-19,,,74")
    )
    (root / "data/dataset_metadata.csv").write_text(lines)
    label, row, unread = opened("pocus", root).remarks()
    assert (label.place, label.kind) == ("data/dataset_metadata.csv:8", "contradiction")
    assert (
        "Label is 'COVID-19'" in label.reason and "Reg-nephropocus.avi is regular" in label.reason
    )
    assert row.place == "data/pocus_images/convex/Cov_new.png" and ": 1;" in row.reason
    assert unread.place == "data/pocus_videos/linear/label_uncertain/Cov_bolzano_WL.avi"
    assert {each.severity for each in (label, row, unread)} == {"warning"}


WIDE = "Current location,Filename,URL (Video Name),Label,Source ID,Comments,Gender,Age,"
WIDE += "Patient ID / Name,Other"
"""The columns of the original that a patient, or what stands for one, is told by."""


def rows(root: Path, *lines: str) -> dict[str, str]:
    """The sources of stills, and images alone, by name, with these rows as the metadata."""
    (root / "data/dataset_metadata.csv").write_text("\n".join([WIDE, *lines]) + "\n")
    spec = task("pocus_lung_4cls", layout={"media": ["images"]})
    records = opened("pocus", root).records(spec)
    return {Path(record.key).stem: record.source_id for record in records}


def test_shifted_cells_give_no_patient(root: Path):
    sound = "pocus_images/convex,{},url,{},{},,m,40,{},0"
    found = rows(
        root,
        "pocus_images/convex,Cov_Oliviera_2020_Fig4A,url,COVID-19,15,a, b,m,40,7",
        sound.format("Pneu_Avi_consolidated-lung", "Bacterial pneumonia", 15, 7),
        sound.format("Reg_bikus", "regular", 16, 40),
    )
    assert found == {
        "Cov_Oliviera_2020_Fig4A": "source 15",
        "Pneu_Avi_consolidated-lung": "source 15",
        "Reg_bikus": "patient 40",
    }
    shifted, *_ = opened("pocus", root).remarks()
    assert (shifted.place, shifted.kind) == ("data/dataset_metadata.csv:2", "contradiction")
    assert "Gender is 'b'" in shifted.reason and "Cov_Oliviera" in shifted.reason


def test_without_a_patient_the_source_and_its_address_are_one(root: Path):
    line = "pocus_images/convex,{},{},{},19,,n/A,,,0"
    found = rows(
        root,
        line.format("Cov_Oliviera_2020_Fig4A", "page 1", "COVID-19"),
        line.format("Pneu_Avi_consolidated-lung", "page 1", "Bacterial pneumonia"),
        line.format("Reg_bikus", "page 2", "regular"),
    )
    assert set(found.values()) == {"source 19, page 1", "source 19, page 2"}


def test_a_row_that_places_its_file_elsewhere_is_still_its_row(root: Path):
    found = rows(
        root,
        "not used,Reg_bikus,url,regular,1,,,,129,0",
        "pocus_images/linear/label_uncertain,Cov_Oliviera_2020_Fig4A,url,COVID-19,1,,,,5,0",
        "pocus_images/linear,Pneu_Avi_consolidated-lung,url,Bacterial pneumonia,1,,,,6,0",
        "not used,Pneu_Avi_consolidated-lung,url,Bacterial pneumonia,1,,,,8,0",
    )
    assert found["Reg_bikus"] == "patient 129"
    assert found["Pneu_Avi_consolidated-lung"].startswith("data/"), "one of two rows, which?"
    assert "Cov_Oliviera_2020_Fig4A" not in found, "its class is not certain"
    remarks = opened("pocus", root).remarks()
    (moved,) = (each for each in remarks if each.kind == "location differs")
    assert moved.place == "data/dataset_metadata.csv:2"
    assert "'not used'" in moved.reason and "convex/Reg_bikus.png" in moved.reason
    (unread,) = (each for each in remarks if each.kind == "file without a record")
    assert unread.place == "data/pocus_images/convex/Cov_Oliviera_2020_Fig4A.jpg"


def test_a_row_with_a_cell_too_few_is_remarked_on(root: Path):
    rows(root, "pocus_images/convex,Reg_bikus,url,regular,1,,m,30,9")
    broken = opened("pocus", root).remarks()[0]
    assert (broken.place, broken.kind) == ("data/dataset_metadata.csv:2", "broken row")


def test_hidden_files_are_no_images(root: Path):
    (root / "data/pocus_images/convex/._Cov_a.png").write_bytes(b"Mac")
    (root / "data/pocus_images/__MACOSX").mkdir()
    (root / "data/pocus_images/__MACOSX/Cov_b.png").write_bytes(b"Mac")
    data = opened("pocus", root)
    assert not any(record.defect for record in data.records(task("pocus_lung_3cls")))
    assert data.remarks() == []


def test_metadata_that_are_no_table(root: Path):
    (root / "data/dataset_metadata.csv").write_text("Filename;Label\n")
    with pytest.raises(DataError, match=r"dataset_metadata.csv:1: no column 'Current location'"):
        opened("pocus", root).records(task("pocus_lung_3cls"))


def test_it_trains_on_frames(usmt: Usmt, root: Path, tmp_path: Path):
    out = tmp_path / "run"
    options = ("--set", "data.pocus.max_frames=1")
    data = ("--data", f"pocus={root}", *options)
    answer = usmt("train", "--task", "pocus_lung_3cls", *data, *TINY, "--out", out)
    assert answer.code == 0, answer.err
    assert (out / "best").is_dir()
