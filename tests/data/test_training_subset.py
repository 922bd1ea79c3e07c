"""A share of the training images: nested, whole groups, every class, whatever is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usmt import Record, RootOptions, load_catalogue, load_plugins
from usmt.data.collection import Collection, collect, make_task_type
from usmt.data.split import Place, Split
from usmt.data.training_subset import training_groups
from usmt.output import Output
from usmt_fmc_uia import FmcUia
from usmt_phantom import Phantom

FRACTIONS = st.floats(1e-6, 1)


@st.composite
def splits(draw) -> tuple[Split, list[Record]]:
    """Records of some tasks and classes, in groups that may hold several of each."""
    row = st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["", "0", "1"]),
        st.integers(0, 30),
        st.sampled_from(["train", "train", "train", "val", "test"]),
    )
    places, records = {}, []
    for i, (task, stratum, group, side) in enumerate(draw(st.lists(row, max_size=60))):
        places[task, str(i)] = Place(side, f"group {group}", "", "")
        records.append(Record(task, str(i), "", "", stratum=stratum))
    return Split(places), records


def used(split: Split, records: Iterable[Record], fraction: float, seed: int = 0) -> set[str]:
    return set(training_groups(split, records, fraction=fraction, seed=seed))


def singles(task: str, counts: dict[str, int]) -> tuple[dict, list[Record]]:
    """Training records that each are a group of their own, by stratum."""
    records = [
        Record(task, f"{stratum}{i}", "", "", stratum=stratum)
        for stratum, count in counts.items()
        for i in range(count)
    ]
    return {(r.task, r.key): Place("train", f"{r.task} {r.key}", "", "") for r in records}, records


@given(data=splits(), one=FRACTIONS, other=FRACTIONS, seed=st.integers(0, 9))
def test_a_smaller_share_is_part_of_a_larger_one(data, one, other, seed):
    small, large = sorted((one, other))
    assert used(*data, small, seed) <= used(*data, large, seed)


@given(data=splits(), fraction=FRACTIONS, seed=st.integers(0, 9))
def test_every_class_keeps_something_and_the_whole_is_all(data, fraction, seed):
    split, records = data
    train = {name: place.group for name, place in split.places.items() if place.side == "train"}
    assert used(split, records, 1, seed) == set(train.values())
    groups = used(split, records, fraction, seed)
    assert groups <= set(train.values())
    strata = {(r.task, r.stratum) for r in records if (r.task, r.key) in train}
    kept = {(r.task, r.stratum) for r in records if train.get((r.task, r.key)) in groups}
    assert kept == strata


@given(data=splits(), fraction=FRACTIONS, random=st.randoms())
def test_the_order_of_records_changes_nothing(data, fraction, random):
    split, records = data
    mixed, places = list(records), list(split.places.items())
    random.shuffle(mixed)
    random.shuffle(places)
    assert used(split, records, fraction) == used(Split(dict(places)), mixed, fraction)


@given(data=splits(), fraction=FRACTIONS, seed=st.integers(0, 9))
def test_tasks_that_share_no_group_do_not_change_each_other(data, fraction, seed):
    """As those of a synthetic dataset, of which only the run's tasks are listed."""
    split, records = data
    places, others = singles("far", {"0": 7, "1": 4})
    both = Split({**split.places, **places})
    alone = used(split, records, fraction, seed) | used(Split(places), others, fraction, seed)
    assert used(both, [*records, *others], fraction, seed) == alone


@given(
    counts=st.dictionaries(st.sampled_from("0123"), st.integers(1, 80), min_size=1),
    fraction=st.floats(0.01, 1),
    seed=st.integers(0, 9),
)
def test_shares_of_classes_and_tasks(counts, fraction, seed):
    places, records = singles("a", counts)
    groups = used(Split(places), records, fraction, seed)
    got = Counter(record.stratum for record in records if f"a {record.key}" in groups)
    for stratum, count in counts.items():
        assert abs(got[stratum] - fraction * count) < 3
    assert abs(len(groups) - fraction * len(records)) < 3 + len(counts)


def test_another_seed_uses_other_images():
    places, records = singles("a", {"": 60})
    assert used(Split(places), records, 0.5, 0) != used(Split(places), records, 0.5, 1)


# -- in a run


@pytest.fixture(scope="module")
def real(realus: Path, realus_specs: Path):
    """Collects tasks of the real pack with a share of their training images."""
    plugins = load_plugins()
    catalogue = load_catalogue(plugins, [realus_specs])

    def collected(group: str, fraction: float) -> Collection:
        specs = catalogue.group_tasks(group)
        return collect(
            specs,
            {spec.type: make_task_type(plugins, spec.type, {}) for spec in specs},
            {"fmc_uia": FmcUia(RootOptions(root=realus))},
            list(catalogue.tasks.values()),
            seed=0,
            val=0.2,
            test=0.2,
            skip_bad=False,
            output=Output.silent(),
            fraction=fraction,
        )

    return collected


@pytest.fixture(scope="module")
def whole(real) -> Collection:
    return real("realus", 1.0)


def names(collection: Collection, side: str = "train") -> set[tuple[str, str]]:
    return {(r.task, r.key) for task in collection.tasks for r in task.records[side]}


@pytest.mark.parametrize("fraction", [0.25, 0.5])
def test_real_images(real, whole: Collection, fraction: float):
    """Each class of each task has its share, to within its largest group and a few records; lungs
    are of six groups, so they are split as coarsely as that."""
    some = real("realus", fraction)
    split = whole.splits["fmc_uia"]
    assert some.splits == whole.splits
    assert names(some) < names(whole)
    groups = {split.places[name].group for name in names(some)}
    assert names(some) == {n for n in names(whole) if split.places[n].group in groups}
    for side in ("val", "test"):
        assert names(some, side) == names(whole, side)
    for task, all_of in zip(some.tasks, whole.tasks, strict=True):
        have = Counter(record.stratum for record in task.records["train"])
        of = Counter(record.stratum for record in all_of.records["train"])
        assert task.unused == of.total() - have.total()
        sizes = Counter(
            (split.places[r.task, r.key].group, r.stratum) for r in all_of.records["train"]
        )
        for stratum, count in of.items():
            largest = max(size for (_, its), size in sizes.items() if its == stratum)
            assert have[stratum] >= 1
            assert abs(have[stratum] - fraction * count) <= largest + 3, (task.spec.id, stratum)
        if not task.spec.id.startswith("lung"):
            assert abs(have.total() - fraction * of.total()) <= max(4, 0.13 * of.total())


def test_the_same_images_whatever_is_trained(real):
    alone, all_of = real("realus_breast", 0.25), real("realus", 0.25)
    ids = {task.spec.id for task in alone.tasks}
    assert names(alone) == {name for name in names(all_of) if name[0] in ids}


def test_synthetic_images_do_not_depend_on_the_other_tasks():
    plugins = load_plugins()
    catalogue = load_catalogue(plugins)

    def collected(*tasks: str) -> set[tuple[str, str]]:
        specs = [catalogue.task(task) for task in tasks]
        collection = collect(
            specs,
            {spec.type: make_task_type(plugins, spec.type, {}) for spec in specs},
            {"phantom": Phantom(Phantom.Options(images=40))},
            list(catalogue.tasks.values()),
            seed=0,
            val=0.2,
            test=0.2,
            skip_bad=False,
            output=Output.silent(),
            fraction=0.4,
        )
        return {name for name in names(collection) if name[0] == tasks[0]}

    alone = collected("fetal_plane_cls")
    assert 0 < len(alone) < 20
    assert collected("fetal_plane_cls", "fetal_head") == alone
