"""CSV files of any bytes: read row by row, or refused with a line; nothing is dropped."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mutations import fuzz, mutated
from PIL import Image
from pydantic import ConfigDict

from usmt import DataError, Record, RootOptions, TaskSpec
from usmt_fmc_uia import FmcUia

LABELS = ("mask_path", "mask", "point_1_xy", "point_2_xy", "x_min", "y_min", "x_max", "y_max")
COLUMNS = ("image_path", "task_id", "task_name", "num_classes", *LABELS, "source_id", "split")

GOOD = (
    "\ufeff" + ",".join(COLUMNS) + "\r\n"
    "../1.png,seg,segmentation,2,../1.png,,,,,,,,patient 1,train\r\n"
    "../1.png,cls,classification,2,,1,,,,,,,patient 1,\r\n"
    '../1.png,reg,Regression,2,,,"[1.5, 2]","[3, 4]",,,,,"a ""b"", c",\r\n'
    "../1.png,det,detection,1,,,,,1,2,5.5,6,\u80f8\u90e8,test\r\n"
)


class AnySpec(TaskSpec):
    """A spec with whatever fields its type would add."""

    model_config = ConfigDict(extra="allow", frozen=True)


def spec(task: str, kind: str, **fields: object) -> TaskSpec:
    return AnySpec(
        id=task, title=task, type=kind, organ="x", dataset="fmc_uia", flip="none", **fields
    )


SPECS = [
    spec("seg", "segmentation", classes=["background", "a"]),
    spec("cls", "classification", classes=["a", "b"]),
    spec("reg", "regression", points=["a", "b"]),
    spec("det", "detection", target="a"),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("fuzzed")
    (root / "csv_files").mkdir()
    Image.new("L", (10, 8)).save(root / "1.png")
    return root


def read(root: Path, content: bytes) -> dict[str, list[Record]]:
    """All that a dataset gives for one file; fails on anything but a DataError."""
    (root / "csv_files/t.csv").write_bytes(content)
    data = FmcUia(RootOptions(root=root))
    found = {"all": data.all_records(SPECS), "any spec": data.all_records([])}
    for task in SPECS:
        try:
            found[task.id] = data.records(task)
        except DataError as error:
            assert str(error).encode()
            assert "task_id" in str(error)
            found[task.id] = []
        found[f"unlabelled {task.id}"] = data.unlabelled(task)
    data.remarks()
    return found


def lines_of(content: bytes) -> int:
    """As an editor counts them; a file that is no text is counted by its line feeds."""
    for encoding in ("utf-8-sig", "gbk"):
        try:
            return max(1, len(list(io.StringIO(content.decode(encoding), newline=""))))
        except UnicodeDecodeError:
            pass
    return content.count(b"\n") + 1


def check_places(records: list[Record], lines: int) -> None:
    for record in records:
        place = re.fullmatch(r"csv_files/t\.csv:([0-9]+)", record.place)
        assert place and 1 <= int(place[1]) <= lines, record
        assert record.defect is None or record.defect.encode("utf-8", "backslashreplace")
        assert record.key


def test_what_is_good_is_good(root: Path) -> None:
    found = read(root, GOOD.encode())
    assert [record.defect for record in found["all"]] == [None] * 4
    assert all(len(found[task.id]) == len(found[f"unlabelled {task.id}"]) == 1 for task in SPECS)


@given(st.binary(max_size=400))
@example(b"")
@example(b"\xef\xbb\xbf")
@example(b"\r")
@example(b"\0" * 50)
@fuzz(400)
def test_any_bytes(root: Path, content: bytes) -> None:
    for records in read(root, content).values():
        check_places(records, lines_of(content))


@given(mutated([GOOD.encode(), GOOD.encode("gbk", "ignore"), GOOD.replace("\r\n", "\n").encode()]))
@fuzz(1200)
def test_a_good_file_spoilt(root: Path, content: bytes) -> None:
    for records in read(root, content).values():
        check_places(records, lines_of(content))


TASK_IDS = st.sampled_from(["seg", "cls", "reg", "det", "other", ""])
CELLS = st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0x2FFF), max_size=12)
COUNTS = st.sampled_from(["0", "-1", "1", "2.0", "999", "two", "nan", "1e9", "9" * 5000, ""])
NUMBERS = st.sampled_from(
    ["0", "-1", "1", "3.0", "999", "nan", "1e9", "[1, 2]", "[", "[" * 9999, ""]
)
PATHS = (
    st.sampled_from(
        ["../1.png", "1.png", "../..", "/", "..", "", "a\nb", "\0", "\0/1.png", "/" * 5000]
    )
    | CELLS
)
ROWS = st.builds(
    lambda path, task, kind, count, rest: [path, task, kind, count, *rest],
    PATHS,
    TASK_IDS,
    st.sampled_from(["segmentation", "classification", "Regression", "detection", "x"]),
    COUNTS,
    st.lists(NUMBERS | CELLS, min_size=len(COLUMNS) - 4, max_size=len(COLUMNS) - 4),
)


@given(st.lists(ROWS, max_size=8), st.sampled_from(["\n", "\r\n"]))
@fuzz(600)
def test_no_row_is_dropped(root: Path, rows: list[list[str]], end: str) -> None:
    """Each row is one record of its task, sound or not; one without a task is said of all."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end)
    writer.writerow(COLUMNS)
    begins = []
    for row in rows:
        begins.append(lines_of(text.getvalue().encode()) + 1)
        writer.writerow(row)
    content = text.getvalue().encode()
    if content.count(b"\r") != content.count(b"\r\n") or b"\n" in content.replace(
        end.encode(), b""
    ):
        return  # a cell with line ends of another kind: the file is no longer what it seems
    found = read(root, content)
    whole = [row for row in zip(begins, rows, strict=True) if any(c.strip() for c in row[1])]
    tasks = {row[1].strip() for _, row in whole} - {""}
    for task in SPECS:
        mine = [line for line, row in whole if row[1].strip() in ("", task.id)]
        wanted = Counter(f"csv_files/t.csv:{line}" for line in mine if task.id in tasks)
        assert Counter(record.place for record in found[task.id]) == wanted
    for name in ("all", "any spec"):
        assert {r.place for r in found[name] if r.task in tasks} >= {
            f"csv_files/t.csv:{line}" for line, row in whole if row[1].strip()
        }
