"""Files are listed in one order everywhere, without what systems leave behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from usmt import DataError, entries_of, files_below, path_below


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def names(folder: Path) -> list[str]:
    return [path_below(folder, path) for path in files_below(folder)]


def test_files_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    put(tmp_path, "10.png", "2.png", "02.png", "a.png", "a1.png", "a10.png", "a9", "b/1", "b²/1")
    assert [path.name for path in entries_of(tmp_path)] == [
        *("02.png", "2.png", "10.png", "a1.png", "a9", "a10.png", "a.png", "b", "b²")
    ]


def test_what_systems_leave_behind_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, ".DS_Store", "__MACOSX/._1.png", "a/Thumbs.db", "a/._1.png", "a/desktop.ini")
    put(tmp_path, ".ipynb_checkpoints/1.png", "a/1.png", "__MACOSX_of_mine.png")
    assert names(tmp_path) == ["__MACOSX_of_mine.png", "a/1.png"]


def test_links_are_not_followed_to_folders(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png")
    (tmp_path / "a" / "2.png").symlink_to(tmp_path / "a" / "1.png")
    (tmp_path / "a" / "3.png").symlink_to(tmp_path / "gone")
    (tmp_path / "a" / "round.png").symlink_to(tmp_path)
    assert names(tmp_path) == ["a/1.png", "a/2.png", "a/3.png"]


def test_names_that_are_no_text_can_be_said(tmp_path: Path) -> None:
    put(tmp_path, os.fsdecode(b"a/\xff.png"))
    assert names(tmp_path) == [r"a/\xff.png"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone: there is no such folder"):
        entries_of(tmp_path / "gone")
    put(tmp_path, "file")
    with pytest.raises(DataError, match="file: cannot be read: Not a directory"):
        list(files_below(tmp_path / "file"))
