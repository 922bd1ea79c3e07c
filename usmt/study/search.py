"""The search for a learning rate: which factor next, which run to stop, which one was the best."""

from __future__ import annotations

from typing import Any

from usmt.study.spec import LearningRateSearch

NAME = "factor"


class Search:
    """The search of one network, on its selection score on validation (Optuna does the work).

    It lives in memory: a study that goes on tells it again what the runs reached. Trials are
    numbered from 0.
    """

    def __init__(self, chosen: LearningRateSearch, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._seed = seed
        low, high = min(chosen.factors), max(chosen.factors)
        grid = chosen.sampler == "grid"
        # Of a grid every trial's factor is given to `ask`; the sampler is then not asked.
        self._sampled: dict[str, Any] = {
            NAME: optuna.distributions.CategoricalDistribution(chosen.factors)
            if grid
            else optuna.distributions.FloatDistribution(low, high, log=True)
        }
        self._study = optuna.create_study(
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=1)
            if chosen.pruning
            else optuna.pruners.NopPruner(),
        )
        self._trials: dict[int, Any] = {}

    def ask(self, number: int, factor: float | None) -> float:
        """Begins a trial, with this factor or one that the sampler finds; returns it."""
        import optuna

        if factor is not None:
            self._study.enqueue_trial({NAME: factor})
        # By the trial's number, so that a study that goes on draws what it would have drawn.
        seed = self._seed + number
        self._study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=3)
        trial = self._study.ask(self._sampled)
        self._trials[number] = trial
        return float(trial.params[NAME])

    def report(self, number: int, epoch: int, selection: float) -> bool:
        """How a trial stands after an epoch, counted from 0; whether it should be stopped."""
        trial = self._trials[number]
        trial.report(selection, epoch)
        return bool(trial.should_prune())

    def tell(self, number: int, selection: float | None) -> None:
        """The end of a trial: its best score, or None if it has none to be compared by."""
        import optuna

        state = optuna.trial.TrialState
        trial = self._trials[number]
        if selection is None:
            self._study.tell(trial, state=state.FAIL)
        else:
            self._study.tell(trial, selection, state=state.COMPLETE)

    def best(self) -> int | None:
        """The trial with the best score; of equal ones the one nearest to factor 1. None if none
        came to its end."""
        import optuna

        complete = (optuna.trial.TrialState.COMPLETE,)
        ended = {trial.number: trial.values for trial in self._study.get_trials(states=complete)}
        ranked = [
            (-ended[trial.number][0], _distance(trial.params[NAME]), number)
            for number, trial in self._trials.items()
            if trial.number in ended
        ]
        return min(ranked)[2] if ranked else None


def _distance(factor: float) -> float:
    return max(factor, 1 / factor)
