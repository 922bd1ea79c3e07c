"""What a study says on the terminal: its plan, and how far it is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from usmt.output import Output
from usmt.study.measure import Estimate
from usmt.study.plan import Plan, PlannedRun, Unit
from usmt.study.state import State, StudyState

OVER: tuple[State, ...] = ("finished", "scored", "failed", "pruned")


def say_plan(
    plan: Plan, estimates: Mapping[str, Estimate] | None, jobs: int, output: Output
) -> None:
    """Arms, every run and what it shares, and what it will take."""
    output.table(
        "Arms",
        ("arm", "trains", "mixture of experts", "networks"),
        [
            (
                arm.name + (" (reference)" if arm.name == plan.reference else ""),
                _paradigm(arm.paradigm),
                arm.moe,
                len({unit.name for unit in plan.units if arm.name in unit.arms}),
            )
            for arm in plan.arms
        ],
    )
    columns = ("run", "arms", "tasks", "MoE", "data", "seed", "learning rates")
    measured = ("steps", "parameters", "memory MB", "time")
    output.table(
        "Runs",
        columns + (measured if estimates else ()),
        [(*_run_row(run), *_taken(run.unit, estimates)) for run in plan.runs],
    )
    output.text(f"{len(plan.runs)} runs of {len(plan.units)} networks")
    if estimates:
        total = math.fsum(estimates[run.unit.name].seconds for run in plan.runs)
        output.text(
            f"about {duration(total)} of computing; {duration(total / jobs)} with --jobs {jobs}, "
            "by a few steps of each kind of network on this machine"
        )


def plan_data(plan: Plan, estimates: Mapping[str, Estimate] | None, jobs: int) -> dict[str, Any]:
    """The same for a program."""
    runs = []
    for run in plan.runs:
        its = estimates[run.unit.name] if estimates else None
        runs.append(
            {
                "id": run.id,
                "unit": run.unit.name,
                "arms": list(run.unit.arms),
                "tasks": list(run.unit.tasks),
                "moe": run.unit.moe,
                "fraction": run.unit.fraction,
                "seed": run.seed,
                "factor": run.factor,
                "steps": its.steps if its else None,
                "parameters": its.parameters if its else None,
                "memory_mb": its.memory_mb if its else None,
                "seconds": its.seconds if its else None,
            }
        )
    total = math.fsum(estimates[run.unit.name].seconds for run in plan.runs) if estimates else None
    return {
        "arms": [{"name": a.name, "paradigm": a.paradigm, "moe": a.moe} for a in plan.arms],
        "reference": plan.reference,
        "groups": {name: list(tasks) for name, tasks in plan.groups.items()},
        "tasks": list(plan.tasks),
        "runs": runs,
        "seconds": total,
        "wall_seconds": total / jobs if total is not None else None,
    }


def say_state(state: StudyState, output: Output) -> None:
    """Every run with how far it is, and what failed."""
    output.table(
        "Runs",
        ("run", "state", "epoch", "validation", "learning rates", "time"),
        [
            (
                each.run.id + (" (chosen)" if each.run.id in state.chosen.values() else ""),
                each.state,
                f"{each.epoch}/{each.epochs}" if each.epochs else None,
                each.selection,
                _factor(each.factor),
                duration(each.seconds) if each.seconds else None,
            )
            for each in state.runs
        ],
    )
    counts = Counter(each.state for each in state.runs)
    over = sum(counts[name] for name in OVER)
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    output.text(f"{over} of {len(state.runs)} runs are over: {told}")
    for each in state.runs:
        if each.failure:
            output.text(f"{each.run.id} failed: {each.failure}")


def state_data(state: StudyState) -> dict[str, Any]:
    """The same for a program."""
    return {
        "runs": [
            {
                "id": each.run.id,
                "unit": each.run.unit.name,
                "state": each.state,
                "epoch": each.epoch,
                "epochs": each.epochs,
                "selection": each.selection,
                "factor": each.factor,
                "seconds": each.seconds,
                "failure": each.failure or None,
            }
            for each in state.runs
        ],
        "chosen": state.chosen,
        "states": dict(Counter(each.state for each in state.runs)),
    }


def duration(seconds: float) -> str:
    """`2 h 05 min`, `12 min 30 s`, `7 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _paradigm(name: str) -> str:
    words = {"ts": "each task alone", "cg": "each group", "au": "all tasks"}
    return words.get(name, f"the group {name}")


def _run_row(run: PlannedRun) -> Sequence[object]:
    unit = run.unit
    tasks = unit.tasks[0] if len(unit.tasks) == 1 else f"{len(unit.tasks)} tasks"
    factor = _factor(run.factor) or ("by search" if run.trial is not None else "as chosen")
    return run.id, unit.arms, tasks, unit.moe, f"{unit.fraction:.0%}", run.seed, factor


def _factor(factor: float | None) -> str | None:
    return None if factor is None else f"x {factor:.3g}"


def _taken(unit: Unit, estimates: Mapping[str, Estimate] | None) -> Sequence[object]:
    if not estimates:
        return ()
    its = estimates[unit.name]
    return its.steps, f"{its.parameters:,}", round(its.memory_mb), duration(its.seconds)
