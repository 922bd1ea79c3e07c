"""The search for a learning rate: what is tried, what is stopped, what is chosen."""

from __future__ import annotations

from usmt.study.search import Search
from usmt.study.spec import LearningRateSearch

GRID = LearningRateSearch(factors=[0.1, 1, 10])
TPE = LearningRateSearch(factors=[0.1, 10], sampler="tpe", trials=6)


def test_of_a_grid_the_best_is_chosen_and_of_equals_the_one_nearest_to_1():
    search = Search(GRID, 0)
    for number, factor in enumerate(GRID.factors):
        assert search.ask(number, factor) == factor
        search.tell(number, {0.1: 0.7, 1: 0.7, 10: 0.2}[factor])
    assert search.best() == 1


def test_trials_that_failed_are_not_chosen():
    search = Search(GRID, 0)
    for number, factor in enumerate(GRID.factors):
        search.ask(number, factor)
    assert search.best() is None
    search.tell(0, None)
    search.tell(1, 0.1)
    search.tell(2, None)
    assert search.best() == 1


def test_a_trial_that_is_behind_is_stopped():
    search = Search(LearningRateSearch(factors=[0.1, 1], pruning=True), 0)
    search.ask(0, 0.1)
    assert not any(search.report(0, epoch, 0.5 + epoch / 10) for epoch in range(4))
    search.tell(0, 0.8)
    search.ask(1, 1)
    assert [search.report(1, epoch, 0.1) for epoch in range(2)][-1]


def drawn(known: int) -> list[float]:
    """The factors of a tpe search of which the first were begun in an earlier call."""
    first = Search(TPE, 7)
    factors = []
    for number in range(known):
        factors.append(first.ask(number, None))
        first.tell(number, -abs(factors[-1] - 3))
    again = Search(TPE, 7)
    for number, factor in enumerate(factors):
        again.ask(number, factor)
        again.tell(number, -abs(factor - 3))
    for number in range(known, 6):
        factors.append(again.ask(number, None))
        again.tell(number, -abs(factors[-1] - 3))
    return factors


def test_a_search_that_goes_on_draws_what_it_would_have_drawn():
    whole = drawn(6)
    assert len(set(whole)) == 6 and all(0.1 <= factor <= 10 for factor in whole)
    for known in (0, 2, 4):
        assert drawn(known) == whole
