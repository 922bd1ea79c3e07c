"""Samplers show every image, in mixed batches, and go on where they stopped."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usmt.data.sampler import MixingSampler

KINDS = ("proportional", "uniform", "temperature")
SIZES = st.dictionaries(
    st.sampled_from(["breast", "lung", "head", "heart"]), st.integers(1, 90), min_size=1
)


@given(sizes=SIZES, batch=st.integers(1, 20), kind=st.sampled_from(KINDS), seed=st.integers(0, 9))
def test_every_image_is_seen_within_the_stated_epochs(sizes, batch, kind, seed):
    sampler = MixingSampler(sizes, batch, kind=kind, seed=seed)
    seen = {
        (draw.task, draw.index)
        for _ in range(sampler.epochs_to_see_all)
        for batch_ in sampler.next_epoch()
        for draw in batch_
    }
    assert seen == {(task, i) for task, size in sizes.items() for i in range(size)}


@given(sizes=SIZES, kind=st.sampled_from(KINDS))
def test_no_image_comes_again_before_all_others_have_come(sizes, kind):
    sampler = MixingSampler(sizes, 8, kind=kind)
    count = Counter()
    for _ in range(5):
        count.update((d.task, d.index) for batch in sampler.next_epoch() for d in batch)
    for task, size in sizes.items():
        times = [count[task, i] for i in range(size)]
        assert max(times) - min(times) <= 1


def test_shares_of_the_tasks():
    sizes = {"large": 900, "small": 100}
    shares = {}
    for kind in KINDS:
        draws = [d for b in MixingSampler(sizes, 10, kind=kind).next_epoch() for d in b]
        shares[kind] = sum(d.task == "small" for d in draws) / len(draws)
    assert shares["proportional"] == pytest.approx(0.1)
    assert shares["uniform"] == pytest.approx(0.5)
    assert shares["temperature"] == pytest.approx(0.25)  # 10 / (30 + 10)


@given(
    sizes=SIZES,
    kind=st.sampled_from(KINDS),
    more=st.integers(0, 300),
    epochs=st.integers(1, 4),
)
def test_an_epoch_draws_as_many_images_as_it_is_told(sizes, kind, more, epochs):
    sampler = MixingSampler(sizes, 8, kind=kind, images_per_epoch=len(sizes) + more)
    seen = set()
    for _ in range(epochs):
        draws = [draw for batch in sampler.next_epoch() for draw in batch]
        assert len(draws) == len(sizes) + more
        assert {draw.task for draw in draws} == set(sizes)
        seen.update((draw.task, draw.index) for draw in draws)
    counts = Counter(task for task, _ in seen)
    assert sampler.unseen(epochs) == {task: size - counts[task] for task, size in sizes.items()}
    assert (not any(sampler.unseen(epochs).values())) == (sampler.epochs_to_see_all <= epochs)


def test_the_shares_of_tasks_are_those_of_the_kind():
    sizes = {"large": 900, "small": 100}
    for kind, small in (("proportional", 5), ("uniform", 25), ("temperature", 12)):
        assert MixingSampler(sizes, 8, kind=kind, images_per_epoch=50).quotas["small"] == small
    # A task that has less than an image to draw has one.
    few = MixingSampler({"large": 900, "small": 1, "tiny": 1}, 8, images_per_epoch=10)
    assert few.quotas == {"large": 8, "small": 1, "tiny": 1}


def test_batches_mix_tasks_and_are_of_nearly_one_size():
    sampler = MixingSampler({"a": 50, "b": 45}, 16)
    batches = sampler.next_epoch()
    assert len(batches) == sampler.steps == 6
    assert {len(b) for b in batches} <= {15, 16}
    assert all({d.task for d in batch} == {"a", "b"} for batch in batches)


def test_epochs_differ_and_augmentation_seeds_never_repeat():
    sampler = MixingSampler({"a": 20, "b": 7}, 4, kind="uniform")
    epochs = [sampler.next_epoch() for _ in range(6)]
    assert epochs[0] != epochs[1]
    seeds = [draw.seed for epoch in epochs for batch in epoch for draw in batch]
    assert len(set(seeds)) == len(seeds)


@given(sizes=SIZES, kind=st.sampled_from(KINDS), done=st.integers(0, 4))
def test_it_goes_on_where_it_stopped(sizes, kind, done):
    whole = MixingSampler(sizes, 8, kind=kind, seed=3)
    for _ in range(done):
        whole.next_epoch()
    resumed = MixingSampler(sizes, 8, kind=kind, seed=3)
    resumed.load_state_dict(whole.state_dict())
    assert resumed.preview() == whole.preview()
    assert resumed.next_epoch() == whole.next_epoch()


def test_a_task_draws_the_same_images_whatever_is_trained_with_it():
    alone = MixingSampler({"a": 30}, 8).next_epoch()
    mixed = MixingSampler({"b": 12, "a": 30}, 8).next_epoch()
    of_a = {d for batch in mixed for d in batch if d.task == "a"}
    assert of_a == {d for batch in alone for d in batch}


def test_a_state_of_other_data_is_refused():
    state = MixingSampler({"a": 30}, 8).state_dict()
    with pytest.raises(ValueError, match="sizes"):
        MixingSampler({"a": 31}, 8).load_state_dict(state)
