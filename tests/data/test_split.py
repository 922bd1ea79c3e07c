"""A split depends on the dataset and the seed only, and nothing that belongs together is parted."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.cluster.hierarchy import DisjointSet
from scipy.ndimage import gaussian_filter

from usmt import DataError, Record, RootOptions, load_catalogue, load_plugins
from usmt.data.collection import Collection, collect, make_task_type
from usmt.data.draw_split import draw_split
from usmt.data.duplicates import content_hash, thumbnail
from usmt.data.scan import ScannedImage
from usmt.data.split import COLUMNS, Place, Split
from usmt.output import Output
from usmt_classification.task_type import ClassificationSpec, ClassificationTaskType
from usmt_fmc_uia import FmcUia

SIDES = ("train", "val", "test")
TASKS = ("breast", "lung", "ovary")
Images = Mapping[tuple[str, str], ScannedImage]


# -- records and images made here


@cache
def picture(number: int) -> np.ndarray:
    """A textured image, unlike those of other numbers."""
    rng = np.random.default_rng(number)
    texture = gaussian_filter(rng.standard_normal((80, 96)), 3)
    return np.clip(110 + 45 * texture / texture.std(), 0, 255).astype(np.uint8)


@cache
def copy_of(number: int, kind: int) -> ScannedImage:
    """Of kind 0 and 1 the picture itself, of the others a re-encoded or a brighter copy."""
    image = picture(number)
    if kind == 2:
        file = io.BytesIO()
        Image.fromarray(image).save(file, format="JPEG", quality=75)
        image = np.array(Image.open(file))
    if kind == 3:
        image = np.clip(image * 1.15, 0, 255).astype(np.uint8)
    return ScannedImage(image.shape, content_hash(image), thumbnail(image))


def drawn(
    records: Iterable[Record], images: Images | None = None, *, seed=0, val=0.2, test=0.2
) -> Split:
    return draw_split(images or {}, records, seed=seed, val=val, test=test)


def singles(n: int, task: str = "t", **fields) -> list[Record]:
    """Records of as many sources."""
    return [Record(task, f"{i:03}", f"patient {i}", f"file:{i}", **fields) for i in range(n)]


def sides_of(split: Split, names: Iterable[Record]) -> Counter[str]:
    return Counter(split.side(record.task, record.key) for record in names)


@st.composite
def datasets(draw, *, official: bool = False) -> tuple[list[Record], Images, DisjointSet]:
    """Records that share sources and pictures across tasks, and what belongs together."""
    sides = st.sampled_from([None, *SIDES]) if official else st.none()
    records, images, first = [], {}, {}
    together = DisjointSet()
    for i in range(draw(st.integers(1, 30))):
        task = draw(st.sampled_from(TASKS))
        source = draw(st.integers(0, 20))
        number, kind = draw(st.integers(0, 24)), draw(st.integers(0, 3))
        stratum, side = draw(st.sampled_from(["", "0", "1"])), draw(sides)
        record = Record(task, f"{i}.png", f"patient {source}", f"file:{i}", stratum, side)
        name = (task, record.key)
        records.append(record)
        images[name] = copy_of(number, kind)
        together.add(name)
        together.merge(first.setdefault(("source", source), name), name)
        together.merge(first.setdefault(("picture", number), name), name)
    return records, images, together


# -- a side depends on the dataset and the seed only


@given(data=datasets(official=True), seed=st.integers(0, 3), random=st.randoms())
def test_the_order_of_records_changes_nothing(data, seed, random):
    records, images, _ = data
    split = drawn(records, images, seed=seed)
    mixed = dict(random.sample(list(images.items()), len(images)))
    again = drawn(random.sample(records, len(records)), mixed, seed=seed)
    assert again.places == split.places
    assert list(again.places) == list(split.places) == sorted(images)


def test_a_known_split_stays_as_it_is():
    """If this fails, runs of earlier versions cannot be compared with new ones."""
    split = drawn([replace(r, stratum=str(i % 2)) for i, r in enumerate(singles(25))], seed=3)
    keys = {side: [key for (_, key), p in split.places.items() if p.side == side] for side in SIDES}
    assert " ".join(keys["val"]) == "000 002 009 013"
    assert " ".join(keys["test"]) == "005 008 016 017 018"


def test_another_seed_gives_other_sides_to_the_same_groups():
    records = singles(40)
    splits = [drawn(records, seed=seed) for seed in range(5)]
    sides = [tuple(place.side for place in split.places.values()) for split in splits]
    assert len(set(sides)) == 5
    groups = [tuple(place.group for place in split.places.values()) for split in splits]
    assert len(set(groups)) == 1
    assert len({split.fingerprint for split in splits}) == 1


def test_a_record_that_is_there_twice_counts_once():
    twice = replace(singles(1)[0], place="other file:1", stratum="9", source_id="patient 7")
    records = [*singles(9), twice]
    split = drawn(records)
    assert len(split.places) == 9
    assert drawn(records[::-1]).places == split.places


def test_without_images_a_task_is_split_as_if_it_were_alone():
    alone = drawn(singles(30, "a"))
    among = drawn([*singles(30, "a"), *[replace(r, task="b", source_id=r.key) for r in singles(9)]])
    assert all(among.places[name] == place for name, place in alone.places.items())


# -- the same through a folder of files, whatever is trained


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Twelve pictures, three of them also as JPEG."""
    root = tmp_path_factory.mktemp("fmc")
    (root / "img").mkdir()
    (root / "csv_files").mkdir()
    for i in range(12):
        Image.fromarray(picture(i)).save(root / "img" / f"{i}.png")
    for i in range(3):
        Image.fromarray(picture(i)).save(root / "img" / f"copy_{i}.jpg", quality=80)
    return root


HEADER = ["task_id", "task_name", "num_classes", "image_path", "mask", "source_id"]
ROWS = [
    [task, "classification", "2", f"../img/{name}", str(i % 2), source]
    for j, task in enumerate(TASKS)
    for i, (name, source) in enumerate(
        [
            *((f"{number}.png", f"patient {number // 2}") for number in range(j, 12, 2)),
            (f"copy_{j}.jpg", f"someone {j}"),
        ]
    )
]
"""Patients have images of several tasks, pictures are in two of them, copies in a third."""


def write_rows(root: Path, files: Mapping[str, Sequence[Sequence[str]]]) -> None:
    for old in (root / "csv_files").iterdir():
        old.unlink()
    for name, rows in files.items():
        with (root / "csv_files" / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([HEADER, *rows])


def collected(root: Path, tasks: Iterable[str], seed: int = 0) -> Collection:
    specs = {
        task: ClassificationSpec(
            id=task,
            title=task,
            type="classification",
            organ=task,
            dataset="fmc_uia",
            flip="none",
            classes=["a", "b"],
        )
        for task in TASKS
    }
    return collect(
        [specs[task] for task in tasks],
        {"classification": ClassificationTaskType(ClassificationTaskType.Options())},
        {"fmc_uia": FmcUia(RootOptions(root=root))},
        list(specs.values()),
        seed=seed,
        val=0.2,
        test=0.2,
        skip_bad=False,
        output=Output.silent(),
    )


@pytest.fixture(scope="module")
def folder_split(folder) -> Split:
    write_rows(folder, {"all": ROWS})
    return collected(folder, TASKS).splits["fmc_uia"]


def test_the_folder_has_every_kind_of_group(folder_split):
    groups = folder_split.groups
    assert len(groups.sizes) == 6
    assert (groups.by_source, groups.by_pixels, groups.by_likeness) == (6, 5, 2)


@settings(max_examples=20, deadline=None)
@given(
    trained=st.lists(st.sampled_from(TASKS), min_size=1, max_size=3, unique=True),
    rows=st.permutations(ROWS),
    names=st.permutations(["a", "b", "z", "lung"]),
    cuts=st.lists(st.integers(0, len(ROWS)), max_size=3).map(sorted),
)
def test_trained_tasks_files_and_rows_change_nothing(
    folder, folder_split, trained, rows, names, cuts
):
    bounds = [0, *cuts, len(rows)]
    files = {name: rows[a:b] for name, a, b in zip(names, bounds, bounds[1:], strict=False)}
    write_rows(folder, files)
    collection = collected(folder, trained)
    assert collection.splits["fmc_uia"] == folder_split
    for task in collection.tasks:
        for side, records in task.records.items():
            assert all(folder_split.side(record.task, record.key) == side for record in records)
        assert sum(map(len, task.records.values())) == sum(row[0] == task.spec.id for row in ROWS)


@pytest.fixture(scope="module")
def real_splits(realus: Path, realus_specs: Path) -> dict[str, Collection]:
    """The real pack as it is split when all of it, a group or a single task is trained."""
    plugins = load_plugins()
    catalogue = load_catalogue(plugins, [realus_specs])
    trained = {
        "all": catalogue.group_tasks("realus"),
        "breast": catalogue.group_tasks("realus_breast"),
        "one": [catalogue.task("fetal_head")],
        "some": [catalogue.task(name) for name in ("organ_5cls", "lung_disease_3cls")],
    }
    return {
        name: collect(
            specs,
            {spec.type: make_task_type(plugins, spec.type, {}) for spec in specs},
            {"fmc_uia": FmcUia(RootOptions(root=realus))},
            list(catalogue.tasks.values()),
            seed=0,
            val=0.2,
            test=0.2,
            skip_bad=False,
            output=Output.silent(),
        )
        for name, specs in trained.items()
    }


def test_the_real_pack_is_split_the_same_whatever_is_trained(real_splits):
    whole = real_splits["all"].splits["fmc_uia"]
    assert len(whole.places) == 1165
    for collection in real_splits.values():
        assert collection.splits["fmc_uia"] == whole
        assert collection.other_defects == []


OTHER_PROCESS = """
import sys
from pathlib import Path
from usmt import RootOptions
from usmt.data.draw_split import draw_split
from usmt.data.scan import scan
from usmt_fmc_uia import FmcUia

data = FmcUia(RootOptions(root=Path(sys.argv[1])))
records = data.all_records([])
found = scan(data, records, {}, workers=3)
draw_split(found.images, records, seed=0, val=0.2, test=0.2).write(Path(sys.argv[2]))
"""


@pytest.mark.parametrize("hash_seed", ["1", "4242"])
def test_another_process_draws_the_same_split(real_splits, realus, tmp_path, hash_seed):
    """Sets and dictionaries of text are in another order there."""
    real_splits["one"].splits["fmc_uia"].write(tmp_path / "here.csv")
    subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS, str(realus), str(tmp_path / "there.csv")],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        check=True,
    )
    assert (tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()


# -- nothing crosses


@given(data=datasets(), seed=st.integers(0, 3))
def test_sources_equal_pixels_and_near_duplicates_stay_together(data, seed):
    records, images, together = data
    split = drawn(records, images, seed=seed)
    groups = defaultdict(set)
    for name, place in split.places.items():
        groups[place.group].add(name)
    assert sorted(map(sorted, groups.values())) == sorted(map(sorted, together.subsets()))
    for names in groups.values():
        assert len({split.places[name].side for name in names}) == 1
    assert split.crossings == []


@given(data=datasets(official=True), seed=st.integers(0, 3))
def test_only_official_sides_part_what_belongs_together(data, seed):
    records, images, together = data
    split = drawn(records, images, seed=seed)
    official = {(r.task, r.key): r.split for r in records if r.split}
    parted = [
        names
        for names in together.subsets()
        if len({official[name] for name in names if name in official}) > 1
    ]
    for names in together.subsets():
        sides = {split.places[name].side for name in names}
        assert len(sides) == 1 or names in parted
    assert len(split.crossings) == len(parted)
    for (task, key), side in official.items():
        lacks_val = "val" not in {official[name] for name in official if name[0] == task}
        allowed = {"train", "val"} if side == "train" and lacks_val else {side}
        assert split.side(task, key) in allowed


def test_nothing_crosses_in_the_real_pack(real_splits):
    split = real_splits["all"].splits["fmc_uia"]
    seen = defaultdict(set)
    for place in split.places.values():
        seen["source", place.source_id].add(place.side)
        seen["pixels", place.content].add(place.side)
    assert all(len(sides) == 1 for sides in seen.values())
    assert len(split.groups.sizes) == len({place.source_id for place in split.places.values()})


# -- how much each side gets


def test_shares_of_single_records():
    sides = sides_of(drawn(singles(100)), singles(100))
    assert sides == {"test": 20, "val": 16, "train": 64}  # val: 20 % of what is not test
    assert sides_of(drawn(singles(100), test=0), singles(100)) == {"val": 20, "train": 80}
    assert sides_of(drawn(singles(100), val=0), singles(100)) == {"test": 20, "train": 80}
    assert sides_of(drawn(singles(100), val=0.5, test=0.5), singles(100)) == {
        "test": 50,
        "val": 25,
        "train": 25,
    }


@given(
    sizes=st.dictionaries(
        st.sampled_from("abcd"), st.lists(st.integers(1, 9), min_size=1, max_size=16), min_size=1
    ),
    seed=st.integers(0, 3),
)
def test_classes_are_split_as_asked_as_far_as_their_groups_allow(sizes, seed):
    """No side is off its target by more than the class's largest group; where a class has few
    groups, by twice as much, since the task must be on every side."""
    records = [
        Record("t", f"{label}{group}.{i}", f"{label}{group}", "", label)
        for label, of_class in sizes.items()
        for group, size in enumerate(of_class)
        for i in range(size)
    ]
    split = drawn(records, seed=seed)
    for label, of_class in sizes.items():
        sides = sides_of(split, [record for record in records if record.stratum == label])
        for side, share in (("train", 0.64), ("val", 0.16), ("test", 0.2)):
            off = abs(sides[side] - share * sum(of_class))
            assert off <= max(of_class) * (1 if len(of_class) >= 5 else 2)
            assert sides[side] > 0 or len(of_class) < 5
    every = sides_of(split, records)
    groups = sum(map(len, sizes.values()))
    assert [side for side in SIDES[:groups] if not every[side]] == []


def test_a_rare_class_is_on_every_side():
    rare = [Record("t", f"r{i}", f"r{i}", "", "rare") for i in range(5)]
    often = [replace(record, stratum="often") for record in singles(400)]
    for seed in range(5):
        split = drawn([*rare, *often], seed=seed)
        assert set(sides_of(split, rare)) == set(SIDES)


def test_the_smallest_group_that_will_do_is_moved_to_an_empty_side():
    sizes = {"a": 4, "b": 4, "c": 1}
    records = [
        Record("t", f"{name}{i}", name, "") for name, size in sizes.items() for i in range(size)
    ]
    for seed in range(5):
        assert sides_of(drawn(records, seed=seed), records) == {"train": 4, "test": 4, "val": 1}


def test_a_task_of_few_patients_is_on_as_many_sides_as_it_can():
    for patients, sides in ((1, {"train"}), (2, {"train", "val"}), (3, set(SIDES))):
        records = [
            replace(r, source_id=f"patient {i % patients}") for i, r in enumerate(singles(9))
        ]
        assert set(sides_of(drawn(records), records)) == sides


def test_each_task_of_a_shared_patient_is_split_as_asked():
    """Patients have images of several tasks; all tasks come near their shares at once."""
    records = [
        Record(task, f"{task}/{i}", f"patient {i % 60}", "", str(i % 3))
        for task, n in (("a", 300), ("b", 120), ("c", 60))
        for i in range(n)
    ]
    split = drawn(records)
    for task in "abc":
        mine = [record for record in records if record.task == task]
        sides = sides_of(split, mine)
        assert sides["test"] / len(mine) == pytest.approx(0.2, abs=0.04)
        assert sides["val"] / len(mine) == pytest.approx(0.16, abs=0.04)


def test_shares_in_the_real_pack(real_splits):
    collection = real_splits["all"]
    split = collection.splits["fmc_uia"]
    for task in collection.tasks:
        sides = {side: len(records) for side, records in task.records.items()}
        total = sum(sides.values())
        assert sides["test"] / total == pytest.approx(0.2, abs=0.05), task.spec.id
        assert sides["val"] / (total - sides["test"]) == pytest.approx(0.2, abs=0.05), task.spec.id
        by_class, groups = defaultdict(Counter), defaultdict(set)
        for side, records in task.records.items():
            for record in records:
                by_class[record.stratum][side] += 1
                groups[record.stratum].add(split.places[record.task, record.key].group)
        for stratum, counts in by_class.items():
            assert len(counts) == 3 or len(groups[stratum]) < 5, (task.spec.id, stratum)


# -- official splits


def official(n: int, task: str = "t", **sides: int) -> list[Record]:
    """`n` records, the first ones with the sides that are named, as many as are asked for."""
    given_ = [side for side, count in sides.items() for _ in range(count)]
    return [
        replace(record, split=side)
        for record, side in zip(
            singles(n, task), [*given_, *[None] * (n - len(given_))], strict=True
        )
    ]


def test_official_sides_are_kept():
    records = official(90, train=60, val=10, test=20)
    split = drawn(records)
    assert all(split.side(record.task, record.key) == record.split for record in records)


def test_a_lacking_val_side_is_drawn_from_train():
    records = official(100, train=70, test=30)
    sides = {record.key: drawn(records).side("t", record.key) for record in records}
    assert all(sides[record.key] == "test" for record in records[70:])
    assert Counter(sides[record.key] for record in records[:70]) == {"train": 56, "val": 14}


def test_no_test_side_is_taken_from_an_official_split():
    records = official(50, train=50)
    assert sides_of(drawn(records), records) == {"train": 40, "val": 10}
    records = official(50, val=10)  # what is on no official side trains
    assert sides_of(drawn(records), records) == {"train": 40, "val": 10}
    records = official(50, test=10)
    assert sides_of(drawn(records), records) == {"train": 32, "val": 8, "test": 10}


def test_an_official_split_binds_related_records_of_other_tasks():
    tested = official(20, "a", test=10, train=10)
    related = [replace(record, task="b", split=None) for record in tested]
    split = drawn([*tested, *related])
    for record in tested:
        assert split.side("b", record.key) == split.side("a", record.key)
    assert sides_of(split, related[:10]) == {"test": 10}
    assert split.crossings == []


def test_crossings_of_an_official_split_are_told():
    records = official(20, train=10, test=10)
    records[10] = replace(records[10], source_id="patient 0")
    records[11] = replace(records[11], source_id="patient 0")
    split = drawn(records)
    assert [split.side("t", record.key) for record in (records[0], *records[10:12])] == [
        "train",
        "test",
        "test",
    ]
    assert split.crossings == [split.places["t", "000"].group]
    assert (
        "warning: the dataset's own split parts 1 groups of related images (3 records); it is kept"
    ) in split.describe()
    assert "warning" not in drawn(singles(20)).describe()


# -- as a file

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)
SPLITS = st.dictionaries(
    st.tuples(TEXT, TEXT),
    st.builds(
        Place,
        side=st.sampled_from(SIDES),
        group=HASHES.map(lambda text: text[:16]),
        source_id=TEXT,
        content=st.just("") | HASHES,
    ),
    max_size=6,
).map(Split)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(split=SPLITS)
def test_a_split_is_read_as_it_was_written(split, tmp_path):
    path = tmp_path / "split.csv"
    split.write(path)
    assert Split.read(path) == split
    assert Split.read(path).fingerprint == split.fingerprint
    assert [file.name for file in tmp_path.iterdir()] == ["split.csv"]


def test_rows_are_in_the_order_of_task_and_key(tmp_path):
    path = tmp_path / "split.csv"
    drawn([*singles(3, "b"), *singles(3, "a")]).write(path)
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == COLUMNS == ["task", "key", "side", "group", "source_id", "content"]
    assert [row[:2] for row in rows[1:]] == [[t, f"00{i}"] for t in "ab" for i in range(3)]


HASH = "0123456789abcdef"
ROW = f"t,1.png,train,{HASH},patient 1,{HASH * 4}"
DAMAGED = {
    "no header": (ROW, 1),
    "nothing": ("", 1),
    "other columns": ("task,key,side\nt,1.png,train", 1),
    "columns in another order": (",".join(COLUMNS[::-1]) + f"\n{ROW}", 1),
    "a cell too few": (f"{ROW}\n{ROW.replace(',train', '')}", 3),
    "a cell too many": (f"{ROW}\n{ROW.replace('1', '2')},", 3),
    "a blank line": (f"{ROW}\n\n{ROW.replace('1.png', '2.png')}", 3),
    "an unknown side": (ROW.replace("train", "dev"), 2),
    "a side in capitals": (ROW.replace("train", "Train"), 2),
    "a group that is none": (ROW.replace(HASH + ",", HASH[1:] + ","), 2),
    "cut off": (f"{ROW}\n{ROW.replace('1.png', '2.png')[:-9]}", 3),
    "cut off in a quoted cell": (f'{ROW}\nt,"2.p', 3),
    "cut off in a quoted cell of two lines": (f'{ROW}\nt,"2\n.p', 3),
    "text after a quote": (f'{ROW}\nt,"2.png"x,train,{HASH},s,{HASH * 4}', 3),
    "a record twice": (f"{ROW}\n{ROW.replace('train', 'test')}", 3),
    "other bytes": (f"{ROW}\n\udcff\udcfe", 3),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused_with_its_line(tmp_path, name):
    text, line = DAMAGED[name]
    if line > 1:
        text = f"{','.join(COLUMNS)}\n{text}"
    path = tmp_path / "split.csv"
    path.write_bytes(text.encode(errors="surrogateescape") + b"\n")
    with pytest.raises(DataError) as error:
        Split.read(path)
    assert str(error.value).startswith(f"{path}:{line}: ")


def test_a_sound_file_of_that_kind_is_read(tmp_path):
    path = tmp_path / "split.csv"
    path.write_text(f"{','.join(COLUMNS)}\n{ROW}\n")
    assert Split.read(path).side("t", "1.png") == "train"


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"split\.csv: cannot be read as a split: No such file"):
        Split.read(tmp_path / "split.csv")


def test_a_record_that_the_split_does_not_know():
    with pytest.raises(DataError, match="'x' of task 't' is not in the split"):
        drawn(singles(3)).side("t", "x")


# -- what data it was drawn on


def scanned(n: int, task: str = "t", kind: int = 0) -> tuple[list[Record], dict]:
    records = singles(n, task)
    return records, {(r.task, r.key): copy_of(i, kind) for i, r in enumerate(records)}


def test_the_fingerprint_is_of_pixels_and_records():
    records, images = scanned(8)
    fingerprint = drawn(records, images).fingerprint
    assert drawn(records[::-1], images, seed=5, val=0.1).fingerprint == fingerprint
    assert drawn([replace(r, stratum="x") for r in records], images).fingerprint == fingerprint
    changed = {**images, ("t", "003"): copy_of(3, 2)}
    swapped = {**images, ("t", "003"): images["t", "004"], ("t", "004"): images["t", "003"]}
    renamed = [replace(records[0], key="x"), *records[1:]]
    others = [
        drawn(records, changed),
        drawn(records, swapped),
        drawn(records[1:], images),
        drawn(renamed, {**images, ("t", "x"): images["t", "000"]}),
        drawn(
            [replace(r, task="u") for r in records], {("u", k): i for (_, k), i in images.items()}
        ),
    ]
    assert len({fingerprint, *(split.fingerprint for split in others)}) == 6


def test_images_that_cannot_be_read_are_left_out():
    records, images = scanned(8)
    del images["t", "002"]
    assert sorted(key for _, key in drawn(records, images).places) == [
        f"00{i}" for i in range(8) if i != 2
    ]


def difference(split: Split, other: Split) -> str:
    return str(split.changes({name: place.content for name, place in other.places.items()}))


def test_what_differs_is_said():
    records, images = scanned(8)
    split = drawn(records, images)
    assert difference(split, split) == "none"
    changed = {**images, ("t", "003"): copy_of(3, 2), ("t", "005"): copy_of(5, 2)}
    other = drawn([*records[1:], *singles(1, "u")], {**changed, ("u", "000"): copy_of(20, 0)})
    assert difference(split, other) == (
        "1 record gone (e.g. '000' of task 't'), 1 record new (e.g. '000' of task 'u'), "
        "2 records with other pixels (e.g. '003' of task 't')"
    )


def test_size_and_causes_of_groups_are_described():
    sources = ["s", "s", "s", "a", "b", "c", "d", "e", "f"]
    pictures = [(0, 0), (1, 0), (2, 0), (3, 0), (3, 1), (4, 0), (4, 2), (5, 0), (6, 0)]
    records = [Record("t", str(i), source, "") for i, source in enumerate(sources)]
    images = {("t", str(i)): copy_of(*which) for i, which in enumerate(pictures)}
    split = drawn(records, images)
    assert split.groups.sizes == (3, 2, 2, 1, 1)
    assert (split.groups.by_source, split.groups.by_pixels, split.groups.by_likeness) == (1, 1, 1)
    sides = Counter(place.side for place in split.places.values())
    assert split.describe() == (
        f"9 records in 5 groups: train {sides['train']}, val {sides['val']}, "
        f"test {sides['test']}\n"
        "  largest groups 3, 2, 2, 1, 1; joined by source 1, by equal pixels 1, by "
        f"near-duplicates 1; data {split.fingerprint[:12]}"
    )


def test_the_real_pack_is_described(real_splits):
    split = real_splits["one"].splits["fmc_uia"]
    assert "1165 records in 578 groups: " in split.describe()
    assert "largest groups 54, 25, 21, 15, 13; " in split.describe()


# -- beside other data


def test_known_images_keep_their_side_in_other_data():
    records, images = scanned(20)
    split = drawn(records, images)
    moved = [Record("u", f"x{i}", f"x{i}", "") for i in range(20)]
    other = drawn(moved, {("u", f"x{i}"): copy_of(i, 0) for i in range(20)})
    extended = split.extended(other)
    assert [extended.side("u", f"x{i}") for i in range(20)] == [
        split.side("t", f"{i:03}") for i in range(20)
    ]
    assert extended.fingerprint == other.fingerprint


def test_new_images_are_test_unless_they_are_related_to_known_ones():
    records, images = scanned(12)
    split = drawn(records, images)
    trained = next(r for r in records if split.side("t", r.key) == "train")
    near = Record("t", "near", "someone", "")
    same_patient = Record("t", "later", trained.source_id, "")
    new = Record("t", "new", "someone else", "")
    kept = Record("t", trained.key, "renamed", "")
    number = int(trained.key)
    other = drawn(
        [near, same_patient, new, kept],
        {
            ("t", "near"): copy_of(number, 2),
            ("t", "later"): copy_of(30, 0),
            ("t", "new"): copy_of(31, 0),
            ("t", trained.key): copy_of(number, 0),
        },
    )
    extended = split.extended(other)
    assert {name: place.side for (_, name), place in extended.places.items()} == {
        "near": "train",
        "later": "train",
        "new": "test",
        trained.key: "train",
    }


def test_a_new_image_under_a_known_name_is_new():
    """Where the source is unknown it is the record's key, which other folders use again."""
    records = [Record("t", f"{i}.png", f"{i}.png", "") for i in range(12)]
    split = drawn(records, {("t", f"{i}.png"): copy_of(i, 0) for i in range(12)})
    other = drawn(records, {("t", f"{i}.png"): copy_of(i + 12, 0) for i in range(12)})
    assert sides_of(split.extended(other), records) == {"test": 12}


def test_of_several_sides_the_one_nearest_to_training_counts():
    """An official split may have one image on two sides; elsewhere it was trained on."""
    records = official(2, test=1, train=1)
    split = drawn(records, {("t", r.key): copy_of(0, 0) for r in records})
    other = drawn([Record("t", "x", "x", "")], {("t", "x"): copy_of(0, 0)})
    assert split.extended(other).side("t", "x") == "train"


def test_synthetic_records_keep_their_side_when_there_are_more():
    split = drawn(singles(10))
    more = drawn(singles(15))
    extended = split.extended(more)
    for i in range(10):
        assert extended.side("t", f"{i:03}") == split.side("t", f"{i:03}")
    assert {extended.side("t", f"{i:03}") for i in range(10, 15)} == {"test"}
