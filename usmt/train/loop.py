"""The training loop: epochs of steps, validation, the best weights kept, checkpoints."""

from __future__ import annotations

import math
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object

from usmt import task_type_calls
from usmt.data.augment import Augmentation
from usmt.data.collection import Collection, TaskData
from usmt.data.images import Images
from usmt.data.loader import Batch, TrainingSamples, training_batches
from usmt.data.sampler import Draw, MixingSampler
from usmt.errors import CheckpointError, TrainingError
from usmt.evaluate.scoring import Evaluation, evaluate, evaluate_trivial
from usmt.output import Output
from usmt.train.checkpoint import WAY_OUT, Checkpoint, load_checkpoint, save_checkpoint
from usmt.train.config import RunSettings
from usmt.train.optimizer import rate_factor, set_rates
from usmt.train.run_folder import RunFolder, summarise
from usmt.train.step import OVERFLOW, Learner, StepReport, train_step

MOST_SKIPPED_STEPS = 5
"""Steps in a row without an update after which training gives up."""

MOST_OVERFLOWS = 25
"""The same for fp16, whose gradient scale starts high and is halved until it fits."""


@dataclass(slots=True)
class Run:
    """A training run and how far it has come.

    Attributes:
        epoch: epochs that are complete.
        step: optimizer steps that are complete.
        best: highest selection score on validation so far.
        skipped: steps in a row that were left out.
    """

    settings: RunSettings
    folder: RunFolder
    collection: Collection
    tasks: Mapping[str, TaskData]
    images: Images
    sampler: MixingSampler
    learner: Learner
    output: Output
    epoch: int = 0
    step: int = 0
    best: float = -math.inf
    skipped: int = 0
    warned: set[str] = field(default_factory=set)

    @property
    def main(self) -> bool:
        """True in the one process that writes files."""
        return bool(self.learner.accelerator.is_main_process)


def fit(run: Run) -> None:
    """Trains from where the run stands to its last epoch."""
    epochs = run.settings.epochs
    run.images.look_up(("train", "val"), run.output)
    with run.output.progress("training", run.sampler.steps * epochs) as bar:
        bar.advance(run.step)
        while run.epoch < epochs:
            started = time.monotonic()
            losses = train_epoch(run, bar)
            evaluation = validate(run)
            check_selections(run, evaluation)
            seconds = time.monotonic() - started
            run.epoch += 1
            improved = run.main and evaluation.selection > run.best
            run.best = max(run.best, evaluation.selection)
            if run.main:
                keep(run, evaluation, losses, seconds, improved)
            bar.update(
                description=f"epoch {run.epoch}/{epochs}  loss {sum(losses.values()):.3f}  "
                f"best score {run.best:.3f}"
            )
            run.learner.accelerator.wait_for_everyone()


def train_epoch(run: Run, bar: Any) -> dict[str, float]:
    """One epoch of steps; returns the mean loss of each task over all processes."""
    reports = []
    for report in train_steps(run, run.sampler.next_epoch()):
        reports.append(report)
        run.step += 1
        bar.advance()
    return mean_losses(run, reports)


def train_steps(run: Run, plan: Sequence[Sequence[Draw]]) -> Iterator[StepReport]:
    """A step for each batch of a plan; the caller counts them."""
    run.learner.model.train()
    samples = TrainingSamples(run.images, Augmentation(**run.settings.augment.model_dump()))
    shares = [share for batch in plan for share in cut(batch, run)]
    pieces = training_batches(samples, shares, run.settings.workers)
    for draws in plan:
        yield one_step(run, draws, [next(pieces) for _ in range(run.settings.accumulate)])


def one_step(run: Run, draws: Sequence[Draw], pieces: Sequence[Batch]) -> StepReport:
    """Seeds, sets the rates, steps, and gives up when nothing has been learnt for too long."""
    process = run.learner.accelerator.process_index
    # Each step has random numbers of its own, so a resumed run draws what it would have drawn.
    seed = np.random.SeedSequence([run.settings.seed, run.step, process]).generate_state(1)
    torch.manual_seed(int(seed[0]))
    steps = run.sampler.steps * run.settings.epochs
    chosen = run.settings.optimizer
    factor = rate_factor(run.step, steps, schedule=chosen.schedule, warmup=chosen.warmup)
    set_rates(run.learner.optimizer, factor)
    counts: dict[str, int] = {}
    for draw in draws:
        counts[draw.task] = counts.get(draw.task, 0) + 1
    report = train_step(run.learner, pieces, counts)
    if report.skipped is None:
        run.skipped = 0
        return report
    run.skipped += 1
    bad = report.bad
    if run.learner.accelerator.num_processes > 1:
        bad = gather_object(bad)
    rows = ", ".join(f"{task} {key}" for task, key in bad) or "no single image"
    run.output.warning(f"step {run.step}: {report.skipped} ({rows}); the step is left out")
    most = MOST_OVERFLOWS if report.skipped == OVERFLOW else MOST_SKIPPED_STEPS
    if run.skipped >= most:
        raise TrainingError(
            f"{run.skipped} steps in a row were left out: {report.skipped} ({rows})",
            hint="Lower the learning rates, set optimizer.clip, or use precision fp32"
            + (f"; the last good state is in {run.folder.last}" if run.epoch else ""),
        )
    return report


def cut(batch: Sequence[Draw], run: Run) -> list[list[Draw]]:
    """This process's rows of a batch, in as many pieces as the gradient is accumulated over."""
    accelerator = run.learner.accelerator
    mine = list(batch[accelerator.process_index :: accelerator.num_processes])
    return [mine[piece :: run.settings.accumulate] for piece in range(run.settings.accumulate)]


def mean_losses(run: Run, reports: Sequence[StepReport]) -> dict[str, float]:
    """Mean loss by task over the epoch's images, of all processes."""
    names = list(run.tasks)
    sums = torch.zeros(2, len(names), dtype=torch.float64)
    for report in reports:
        for task, value in report.sums.items():
            if report.skipped is None:
                sums[0, names.index(task)] += value
                sums[1, names.index(task)] += report.counts[task]
    accelerator = run.learner.accelerator
    if accelerator.num_processes > 1:
        sums = accelerator.reduce(sums.float().to(accelerator.device), "sum").double().cpu()
    return {n: float(s / c) for n, s, c in zip(names, *sums, strict=True) if c > 0}


def validate(run: Run) -> Evaluation:
    """Scores the network on the validation side, and logs how the MoE routes."""
    run.learner.network.record_routing(True)
    evaluation = evaluate(
        run.learner.network,
        run.tasks,
        "val",
        run.images,
        batch_size=run.settings.batch_size,
        workers=run.settings.workers,
        device=run.learner.accelerator.device,
        output=run.output,
    )
    run.learner.network.record_routing(False)
    _gather_routing(run.learner)
    return evaluation


def check_selections(run: Run, evaluation: Evaluation) -> None:
    """Raises PluginError for selection scores that the best weights cannot be chosen by, and
    TrainingError for one that is not defined while there are no best weights yet."""
    for name, value in evaluation.selections.items():
        task, scores = run.tasks[name], evaluation.scores[name]
        task_type_calls.check_selection(task.type, task.spec, value, scores)
        if math.isnan(value) and not math.isfinite(run.best):
            undefined = ", ".join(each for each, score in scores.items() if math.isnan(score))
            raise TrainingError(
                f"task {name}: no weights can be chosen, for {undefined} is not defined (NaN) on "
                "the validation side",
                hint="Either the side lacks a class (usmt data check tells) or the network went "
                "astray: lower the learning rates, or set optimizer.clip",
            )


def _gather_routing(learner: Learner) -> None:
    """Joins what the processes recorded, so that each reports the whole."""
    recorder, process = learner.network.routing, learner.accelerator.process_index
    if recorder is None or learner.accelerator.num_processes == 1:
        return
    for other, state in enumerate(gather_object([recorder.state()])):
        if other != process:
            recorder.merge(state)


def keep(
    run: Run, evaluation: Evaluation, losses: Mapping[str, float], seconds: float, improved: bool
) -> None:
    """Writes what an epoch leaves: best/ if it was the best, its metrics, last/."""
    weights = run.learner.network.state_dict()
    if improved:
        best = {"epoch": run.epoch, "selection": evaluation.selection}
        save_checkpoint(run.folder.best, Checkpoint(weights, best))
    routing = run.learner.network.routing_report()
    run.folder.append_metrics(
        {
            "epoch": run.epoch - 1,
            "step": run.step,
            "seconds": round(seconds, 3),
            "learning_rates": {
                group["name"]: group["lr"] for group in run.learner.optimizer.param_groups
            },
            "loss": losses,
            "selection": evaluation.selection,
            "scores": evaluation.scores,
            "routing": routing.as_dict() if routing is not None else None,
        }
    )
    if routing is not None:
        for name in routing.dead_experts():
            if name not in run.warned:
                run.warned.add(name)
                run.output.warning(f"{name} is hardly used by any task (see figures/routing.png)")
    state: dict[str, Any] = {
        "epoch": run.epoch,
        "step": run.step,
        "best": run.best,
        "sampler": run.sampler.state_dict(),
    }
    optimizer = run.learner.optimizer.state_dict()
    save_checkpoint(run.folder.last, Checkpoint(weights, state, optimizer))


def go_on(run: Run, checkpoint: Checkpoint) -> None:
    """Puts a run back to where its last/ was written. Raises CheckpointError if that is not of
    this run."""
    load_weights(run.learner.network, checkpoint, run.folder.last)
    if checkpoint.optimizer is None:
        raise CheckpointError(f"{run.folder.last}: the optimizer's state is missing", hint=WAY_OUT)
    try:
        run.learner.optimizer.load_state_dict(dict(checkpoint.optimizer))
        run.sampler.load_state_dict(checkpoint.state["sampler"])
        run.epoch, run.step = int(checkpoint.state["epoch"]), int(checkpoint.state["step"])
        run.best = float(checkpoint.state["best"])
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise CheckpointError(
            f"{run.folder.last}: does not fit this run: {type(error).__name__} {error}",
            hint=WAY_OUT,
        ) from None


def load_weights(network: torch.nn.Module, checkpoint: Checkpoint, place: object) -> None:
    """Strictly. Raises CheckpointError if names or shapes differ."""
    try:
        network.load_state_dict(dict(checkpoint.weights), strict=True)
    except RuntimeError as error:
        first = "".join(str(error).splitlines()[1:2]).strip() or str(error)
        raise CheckpointError(
            f"{place}: the weights are of another network: {textwrap.shorten(first, 200)}",
            hint=WAY_OUT,
        ) from None


def conclude(run: Run) -> tuple[dict[str, Any], Evaluation]:
    """Scores the best weights on validation, beside the trivial predictors: what scores.json
    holds, and the evaluation with what is known of each image."""
    load_weights(run.learner.network, load_checkpoint(run.folder.best), run.folder.best)
    evaluation = validate(run)
    trivial = evaluate_trivial(run.tasks, "val", run.images, run.output)
    summary = summarise(evaluation, trivial, run.tasks, "val")
    summary["data"] = {
        name: {"fingerprint": split.fingerprint} for name, split in run.collection.splits.items()
    }
    summary["synthetic"] = run.collection.synthetic
    summary["parameters"] = sum(each.numel() for each in run.learner.network.parameters())
    return summary, evaluation
