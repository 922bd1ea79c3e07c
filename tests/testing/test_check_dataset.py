"""`check_dataset` passes a sound dataset, and names the rule that a broken one breaks."""

from __future__ import annotations

import re
from pathlib import Path

import broken_datasets as broken
import pytest
from imports_all import ShelfOfAll
from imports_torch import SlowShelf
from sound_dataset import ByLibrary, NamedTwice, Noted, OneSource, Shelf, fill
from sound_task_type import Spot

from usmt import Dataset, DatasetOptions, TaskSpec
from usmt.testing import BrokenRuleError, check_dataset

CASES = {
    broken.NoCard: ["card must tell people", "organ, licence, obtain, sources, files"],
    broken.KeysTwice: ["a key of its own", "spots.csv:3", "'p0' is already that of spots.csv:2"],
    broken.NoSource: ["source_id of a record", "the patient or video, or the key"],
    broken.SplitsASource: ["one source on one side", "source p0", "train at spots.csv:2"],
    broken.OddSplit: ["split of a record", "train, val, test", "'validation'"],
    broken.Unpicklable: ["picklable", "no open files or lambdas"],
    broken.LeavesOut: ["keep a row that cannot be used", "1 records with a defect"],
    broken.ReadsImagesAtOnce: ["records must read no image", "0.png"],
    broken.Flickers: ["reading a record must give the same each time", "spots.csv:2"],
    broken.FloatImages: ["uint8, (H, W) grey", "float64 of shape (24, 32)"],
    broken.OfThisProcess: ["another process must read the same", "record '5.png'"],
    broken.WrongLabels: ["what the type 'spot' documents", "not two numbers"],
    broken.Substitutes: ["0.png emptied", "as if nothing were wrong", "never put anything"],
    broken.StaleFingerprint: ["fingerprint must change", "0.png cut in half"],
    broken.ConstantFingerprint: ["fingerprint must change", "0.png with the content of 1.png"],
    broken.FingerprintOfThePath: ["fingerprint must change", "0.png with the content of 1.png"],
    broken.FingerprintWithoutTheRow: ["fingerprint must change", "'0.png' and '1.png' exchanged"],
    broken.FingerprintWithoutTheNote: ["fingerprint must change", "note.txt with another digit"],
    broken.RaisesItsOwn: ["must be a DataError", "spots.csv:8", "TypeError"],
    broken.AnyFolder: ["DataError for a root that is not its own", "no error"],
    broken.NoPixelSize: ["pixel_size must give width and height of a pixel in mm", "(0.0, 0.0)"],
    broken.FitsAll: ["misfits must say why a task cannot be served", "(other)"],
    broken.NoneForOthers: ["misfits must return a list of texts", "(another_type)", "None"],
    broken.Misspelt: ["would never be called", "unlabeled", "did you mean 'unlabelled'?"],
    broken.Unfinished: ["must define all of usmt.Dataset", "read_image, read_label"],
    broken.TextCard: ["card must be a usmt.DatasetCard", "'Spots on a shelf'"],
    broken.OwnOptions: ["Options must be a class that extends usmt.DatasetOptions"],
    broken.HashedKeys: ["the same in every process", "never from hash()", "7, one of them"],
    broken.HashedSources: ["the same in every process", "never from hash()"],
    broken.AnyOrder: ["the same in every process", "in another order", "never go through a set"],
    broken.AsListed: ["the same in every process", "in another order", "sort what a folder lists"],
    broken.PlacesAsListed: ["the same in every process", "beside", "sort what a folder lists"],
    broken.SplitOfOthers: ["all_records must hold what", "source_id 'p0'", "'0.png', None"],
    broken.AllTwice: ["all_records must hold what", "1 times, as in `records`", "2 times"],
    broken.ByLibrary: ["a damaged file must be", "0.png emptied"],
    broken.BlackByLibrary: ["0.png emptied", "as if nothing were wrong"],
    broken.BlackAtLast: ["5.png emptied", "as if nothing were wrong"],
    broken.LooksByLibrary: ["records must read no image", "images are zeros", "'none'"],
    broken.EndsTheProcess: ["another process must find the same", "ended without a word"],
    ShelfOfAll: ["imports_all: importing it", "imports_all.py:7", "name what is needed"],
    SlowShelf: ["imports_torch: importing it must import no slow library"],
}


def task(kind: str = "spot") -> TaskSpec:
    fields = {"organ": "any", "dataset": "shelf", "flip": "none"}
    return TaskSpec(id=f"find_{kind}", title="Spot", type=kind, **fields)


def check(dataset: type[Dataset], root: Path) -> None:
    check_dataset(
        dataset, root, tasks=[task()], task_types=[Spot], unfit=[task("other")], defects=1
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("data") / "shelf")


@pytest.mark.parametrize("dataset", [ByLibrary, OneSource, Noted], ids=lambda each: each.__name__)
def test_odd_and_right(dataset: type[Dataset], root: Path) -> None:
    check_dataset(dataset, root, tasks=[task()], task_types=[Spot])


def test_a_row_that_names_an_image_again_is_a_defect(tmp_path: Path) -> None:
    root = fill(tmp_path / "shelf")
    with (root / "spots.csv").open("a", encoding="utf-8") as file:
        file.write("1.png,p5,20,3\n")
    check_dataset(NamedTwice, root, tasks=[task()], task_types=[Spot], defects=2)
    with pytest.raises(BrokenRuleError, match="all but the first a defect"):
        check_dataset(Shelf, root, tasks=[task()], task_types=[Spot])


def test_a_fingerprint_follows_a_mask_and_the_only_image(tmp_path: Path) -> None:
    """Where there is no other file to take the content of, it is drawn otherwise."""
    root = fill(tmp_path / "shelf")
    for number in range(1, 6):
        (root / f"{number}.png").unlink()
    rows = (root / "spots.csv").read_text(encoding="utf-8").splitlines()[:2]
    (root / "spots.csv").write_text("\n".join(rows), encoding="utf-8")
    check_dataset(Shelf, root, tasks=[task()], task_types=[Spot])
    for dataset, said in [
        (broken.ConstantFingerprint, "0.png upside down"),
        (broken.FingerprintWithoutTheRow, "spots.csv with another digit in line 2"),
    ]:
        with pytest.raises(BrokenRuleError, match=said):
            check_dataset(dataset, root, tasks=[task()], task_types=[Spot])


def test_a_broken_image_of_the_root_is_told(tmp_path: Path) -> None:
    root = fill(tmp_path / "shelf")
    whole = (root / "2.png").read_bytes()
    (root / "2.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BrokenRuleError, match=r"(?s)must be good.*spots.csv:4.*leave it out of"):
        check_dataset(Shelf, root, tasks=[task()], task_types=[Spot])


def test_a_sound_dataset_passes_and_its_files_stay_as_they_were(root: Path) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.iterdir()}
    check(Shelf, root)
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in root.iterdir()} == before


def test_an_instance_and_options_by_name(root: Path) -> None:
    check_dataset(Shelf(Shelf.Options(root=root)), tasks=[task()], task_types=[Spot], images=2)
    check_dataset(Shelf, {"root": root}, tasks=[task()], task_types=[Spot], images=2)


@pytest.mark.parametrize("dataset", CASES, ids=lambda each: each.__name__)
def test_a_broken_rule_is_named(dataset: type[Dataset], root: Path) -> None:
    with pytest.raises(BrokenRuleError) as caught:
        check(dataset, root)
    text = str(caught.value)
    assert dataset.__name__ in text or dataset.__module__ in text
    for part in CASES[dataset]:
        assert part in text, text
    assert re.search(r"(broken_datasets|imports_all|imports_torch|sound_dataset)\.py:\d+", text), (
        text
    )


def test_a_wrong_call_is_told(root: Path, tmp_path: Path) -> None:
    sound = {"tasks": [task()], "task_types": [Spot]}
    for told, dataset, options, changed in [
        ("needs the task type of each task", Shelf, root, {"task_types": []}),
        ("its options and files must be sound ones", Shelf, tmp_path, {}),
        ("its options and files must be sound ones", Shelf, 3, {}),
        ("found:    an object of DatasetOptions", Shelf, DatasetOptions(), {}),
        ("needs tasks, one or more specs", Shelf, root, {"tasks": []}),
        ("needs tasks, one or more specs", Shelf, root, {"tasks": ["find_spot"]}),
        ("needs `unfit`, specs", Shelf, root, {"unfit": ["find_spot"]}),
        ("needs `images`, a number of 1 or more", Shelf, root, {"images": 0}),
        ("needs a dataset: a class that extends", "shelf", root, {}),
    ]:
        with pytest.raises(BrokenRuleError, match=told):
            check_dataset(dataset, options, **(sound | changed))
