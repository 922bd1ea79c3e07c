"""Where the files of a download are: in ROOT, in a folder of it, or in the one that it is in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_files import write_image, write_mask
from reading import opened, task

from usmt import DataError


@pytest.fixture
def busi(tmp_path: Path) -> Path:
    """An archive that was unpacked into a folder of its name."""
    top = tmp_path / "Dataset_BUSI_with_GT" / "Dataset_BUSI_with_GT"
    for name in ("benign", "malignant", "normal"):
        write_image(top / name / f"{name} (1).png")
        write_mask(top / name / f"{name} (1)_mask.png")
    # What systems leave behind is in no archive of the authors.
    write_image(tmp_path / "__MACOSX" / "benign" / "._benign (1).png")
    (top / "Thumbs.db").write_bytes(b"x")
    (top / "benign" / ".DS_Store").write_bytes(b"x")
    write_image(top / "benign" / "._benign (1).png")
    return top


@pytest.mark.parametrize("above", [0, 1, 2])
def test_the_root_may_be_a_folder_above(busi: Path, above: int) -> None:
    data = opened("busi", [busi, *busi.parents][above])
    assert [record.key for record in data.records(task("busi_lesion"))] == [
        "benign/benign (1).png",
        "malignant/malignant (1).png",
    ]
    assert data.remarks() == []


@pytest.mark.parametrize("relative", [False, True])
def test_a_root_that_is_a_part_of_the_dataset(
    busi: Path, relative: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(busi / "benign")
    root = Path() if relative else busi / "benign"
    with pytest.raises(
        DataError, match="has no 'benign', but the folder that it is in has"
    ) as told:
        opened("busi", root)
    assert told.value.hint == f"Give that one: --data busi={busi}"


def test_several_folders_with_the_dataset(busi: Path) -> None:
    top = busi.parents[1]
    busi.rename(busi.with_name("copy"))
    for name in ("benign", "malignant", "normal"):
        (top / "other" / "copy" / name).mkdir(parents=True)
    with pytest.raises(
        DataError,
        match="have benign, malignant, normal: 'Dataset_BUSI_with_GT/copy', 'other/copy'",
    ):
        opened("busi", top)
    busi.with_name("copy").rename(busi)  # now one is named as the archive names it
    assert len(opened("busi", top).records(task("busi_lesion"))) == 2


def test_what_the_folder_of_the_archive_lacks_is_told(busi: Path) -> None:
    (busi / "malignant").rename(busi / "malign")
    for root in (busi, *list(busi.parents)[:2]):
        with pytest.raises(DataError, match=f"'{busi}' has no 'malignant'"):
            opened("busi", root)


def test_a_folder_of_another_dataset_is_not_taken(busi: Path) -> None:
    (busi.parents[1] / "another" / "benign").mkdir(parents=True)
    busi.rename(busi.with_name("breast"))
    assert len(opened("busi", busi.parents[1]).records(task("busi_lesion"))) == 2


def test_of_several_folders_that_of_the_archive_is_taken(tmp_path: Path) -> None:
    for name in ("images", "annotations"):
        (tmp_path / "nearer" / name).mkdir(parents=True)
    for name in ("train.txt", "val.txt"):
        (tmp_path / "nearer" / name).write_text("1\n")
    (tmp_path / "coco" / "annotations").mkdir(parents=True)
    for name in ("OTU_2d", "OTU_3d"):
        top = tmp_path / "MMOTU" / name
        write_image(top / "images" / "1.JPG")
        write_mask(top / "annotations" / "1_binary.PNG")
        for part, number in (("train", "1"), ("val", "2")):
            (top / f"{part}.txt").write_text(f"{number}\n")
    records = opened("mmotu", tmp_path).records(task("mmotu_tumor"))
    assert records[0].payload.image == tmp_path / "MMOTU" / "OTU_2d" / "images" / "1.JPG"


def test_files_that_a_pattern_finds(tmp_path: Path) -> None:
    top = tmp_path / "archive" / "ddti"
    write_image(top / "1_1.jpg")
    (top / "1.xml").write_text("<case><number>1</number><tirads>4a</tirads></case>")
    for root in (top, tmp_path / "archive", tmp_path):
        (record,) = opened("ddti", root).records(task("ddti_tirads"))
        assert record.key == "1_1.jpg"
    (tmp_path / "empty" / "deeper" / "deepest").mkdir(parents=True)
    with pytest.raises(DataError, match="has no XML file"):
        opened("ddti", tmp_path / "empty" / "deeper" / "deepest")


def test_a_pattern_takes_no_folder_of_others(tmp_path: Path) -> None:
    """A project's `coverage.xml`, photographs with their boxes."""
    (tmp_path / "project" / "data").mkdir(parents=True)
    (tmp_path / "project" / "coverage.xml").write_text("<coverage/>")
    for name in ("1.xml", "1_1.jpg"):
        (tmp_path / "project" / name).write_bytes(b"x")
    with pytest.raises(DataError, match="has no XML file"):
        opened("ddti", tmp_path / "project" / "data")
    top = tmp_path / "sets"
    (top / "photographs").mkdir(parents=True)
    for name in ("cat.xml", "cat.jpg"):
        (top / "photographs" / name).write_bytes(b"x")
    (top / "ddti").mkdir()
    write_image(top / "ddti" / "1_1.jpg")
    (top / "ddti" / "1.xml").write_text("<case><number>1</number><tirads>4a</tirads></case>")
    (record,) = opened("ddti", top).records(task("ddti_tirads"))
    assert record.key == "1_1.jpg"


def test_folders_that_cannot_be_read_are_passed_over(
    busi: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (busi.parents[1] / "closed").mkdir()
    listed = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert opened("busi", busi.parents[1]).records(task("busi_lesion"))
