"""The figures of a report: what is drawn, and how to read it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from usmt.study.findings import ArmScore, Comparison, Findings
from usmt.study.report import wording
from usmt.study.report.drawing import Drawing, Figure, Look
from usmt.study.report.interval_plot import Estimates, draw_changes, draw_scores
from usmt.study.report.matrix import draw_matrix
from usmt.study.report.tables import with_all_data
from usmt.study.report.training_size import draw_one_task, draw_over_tasks


class Figures:
    """The figures of one study. Each method gives None where there is nothing to draw."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.results = findings.results
        self.tasks = {task.id: task for task in self.results.tasks}
        names = [arm.name for arm in self.results.arms if arm.name != self.results.reference]
        self.labels = {name: self.results.label(name) for name in (self.results.reference, *names)}
        self.looks = {name: Look.number(i) for i, name in enumerate(self.labels)}
        self.compared = [
            comparison
            for comparison in with_all_data(self.findings.comparisons)
            if comparison.arm in self.labels and comparison.task in self.tasks
        ]
        self.reference = self.labels[self.results.reference]
        self.certainty = f"{self.results.confidence:.0%}"

    def scores(self, *, primary: bool) -> Figure | None:
        """Absolute scores (Fig. 2), a panel for each task type and metric: the primary ones, or
        the others."""
        panels: dict[tuple[str, str], list[ArmScore]] = defaultdict(list)
        for score in with_all_data(self.findings.scores):
            task = self.tasks.get(score.task)
            if task and score.arm in self.labels and (score.metric == task.primary) == primary:
                panels[task.type, score.metric].append(score)
        if not panels:
            return None
        drawings = [
            self._scores_of(type, metric, found, f"scores-{i:02d}-{type}-{metric}")
            for i, ((type, metric), found) in enumerate(panels.items(), 1 if primary else 51)
        ]
        caption = (
            f"Each mark is the mean over seeds with its {self.certainty} interval; the small "
            "hollow marks below it are the single seeds. Panels have units of their own, so "
            "compare marks within a row. The dotted line is what the best predictor reaches that "
            "never looks at the image: an arm that does not pass it has learnt nothing of use."
        )
        what = "the metric that stands for each task" if primary else "the other metrics"
        if not primary:
            caption = "To be read as the figure of the metrics that stand for the tasks."
        return Figure(f"Scores by task and arm: {what}", caption, drawings)

    def _scores_of(self, type: str, metric: str, found: Sequence[ArmScore], name: str) -> Drawing:
        rows = [task for task in self.tasks if any(score.task == task for score in found)]
        arms = []
        for arm, label in self.labels.items():
            mine = {rows.index(s.task): s for s in found if s.arm == arm}
            if mine:
                intervals = {row: score.score for row, score in mine.items()}
                points = {row: score.by_seed for row, score in mine.items()}
                arms.append(Estimates(label, self.looks[arm], intervals, points=points))
        trivial = {
            row: self.tasks[task].trivial[metric]
            for row, task in enumerate(rows)
            if metric in self.tasks[task].trivial
        }
        upward = {
            s.higher_is_better for s in self.results.scores if s.metric == metric and s.task in rows
        }
        better = " (higher is better)" if upward == {True} else ""
        better = " (lower is better)" if upward == {False} else better
        title, unit = f"{type}: {metric}", f"{metric}{better}"
        alt = f"{metric} of {wording.counted(len(rows), f'{type} task')} by arm, with intervals"
        return Drawing(file_name(name), alt, lambda: draw_scores(title, unit, rows, arms, trivial))

    def changes(self) -> Figure | None:
        """Signed relative change by task (Fig. 3), a panel an arm."""
        drawings: list[Drawing] = []
        for arm, label in self._others():
            found = [c for c in self.compared if c.arm == arm and _known(c.relative.value)]
            found.sort(key=lambda comparison: -comparison.relative.value)
            if not found:
                continue
            rows = [comparison.task for comparison in found]
            estimates = Estimates(
                label,
                self.looks[arm],
                {row: comparison.relative for row, comparison in enumerate(found)},
                _undecided(found),
            )
            title = f"{label} against {self.reference}"
            drawings.append(
                Drawing(
                    file_name(f"change-{len(drawings) + 1:02d}-{arm}"),
                    f"Relative change of {wording.counted(len(rows), 'task')} from "
                    f"{self.reference} to {label}, sorted",
                    lambda title=title, rows=rows, estimates=estimates: draw_changes(  # type: ignore[misc]
                        title, "relative change", rows, [estimates],
                        margin=self.results.margin, percent=True,
                    ),
                )
            )  # fmt: skip
        caption = (
            f"Change of the primary metric as a share of what {self.reference} reaches, turned so "
            "that to the right is always better; tasks are sorted. The grey band "
            f"(±{self.results.margin:.0%}) is a change too small to matter. A filled mark is "
            "decided, a hollow one is not. Changes beyond the axis stand at its edge, as numbers."
        )
        return Figure("Relative change by task", caption, drawings) if drawings else None

    def matrix(self) -> Figure | None:
        """Negative transfer, task by arm."""
        if not self.compared:
            return None
        arms = dict(self._others())
        cells = {(comparison.task, comparison.arm): comparison for comparison in self.compared}
        groups = self._by_group({comparison.task for comparison in self.compared})
        caption = (
            f"Numbers are relative changes against {self.reference}; colour is the standardised "
            "effect, blue for gain and orange for harm. Bold in a frame: a certain gain (▲) or "
            "harm (▼), after correction for many comparisons. ≈: certainly too small to matter. "
            "Hatched with a question mark: this data cannot tell."
        )
        alt = f"Matrix of {len(cells)} changes, tasks in rows and arms in columns"
        drawing = Drawing("negative-transfer", alt, lambda: draw_matrix(groups, arms, cells))
        return Figure("Where aggregation helps and harms", caption, [drawing])

    def means(self, kind: str, title: str) -> Figure | None:
        """Mean standardised effects of one kind, e.g. by group; last over all tasks."""
        means = sorted(self.findings.means, key=lambda mean: mean.kind == "all")
        found = [
            mean
            for mean in with_all_data([m for m in means if m.kind in (kind, "all")])
            if mean.arm in self.labels
        ]
        rows = list(dict.fromkeys((mean.kind, mean.name) for mean in found))
        if not rows:
            return None
        arms = [
            Estimates(
                label,
                self.looks[arm],
                {rows.index((m.kind, m.name)): m.effect for m in found if m.arm == arm},
            )
            for arm, label in self._others()
            if any(mean.arm == arm for mean in found)
        ]
        labels = [
            "all tasks" if kind == "all" else self.results.groups.get(name, name)
            for kind, name in rows
        ]
        shown = f"Mean effect by {kind}"
        drawing = Drawing(
            file_name(f"mean-{kind}"),
            f"{shown}, by arm: {', '.join(labels)}",
            lambda: draw_changes(shown, "standardised effect", labels, arms),
        )
        caption = (
            f"Mean of the tasks' standardised effects against {self.reference} with its "
            f"{self.certainty} interval. An interval that does not touch the upright line is a "
            "change of the mean; single tasks may still go the other way."
        )
        return Figure(title, caption, [drawing])

    def over_training_images(self) -> Figure | None:
        images = {
            id: max(task.training_images.values())
            for id, task in self.tasks.items()
            if task.training_images
        }
        found = [c for c in self.compared if images.get(c.task) and _known(c.effect.value)]
        if not found:
            return None
        drawing = Drawing(
            "training-images",
            f"Standardised effect of {wording.counted(len({c.task for c in found}), 'task')} "
            "against the number of training images",
            lambda: draw_over_tasks(self._arms(found), found, images),
        )
        caption = (
            "Each mark is one task under one arm. Filled marks are decided. If grouping helped "
            "small tasks and not large ones, the marks would fall from left to right."
        )
        return Figure("Effect by training-set size", caption, [drawing])

    def mixture_of_experts(self) -> Figure | None:
        """Each paradigm with a mixture of experts against the same without."""
        found = [c for c in with_all_data(self.findings.moe) if c.arm in self.labels]
        rows = [task for task in self.tasks if any(c.task == task for c in found)]
        if not rows:
            return None
        arms = []
        for arm, label in self.labels.items():
            mine = [c for c in found if c.arm == arm and c.task in self.tasks]
            if mine:
                intervals = {rows.index(c.task): c.relative for c in mine}
                hollow = [rows.index(c.task) for c in mine if c.verdict == "undecided"]
                arms.append(Estimates(label, self.looks[arm], intervals, hollow))
        drawing = Drawing(
            "mixture-of-experts",
            f"Relative change of {wording.counted(len(rows), 'task')} by the mixture of experts",
            lambda: draw_changes(
                "With against without MoE", "relative change", rows, arms,
                margin=self.results.margin, percent=True,
            ),
        )  # fmt: skip
        caption = (
            "The same tasks trained together with and without the mixture of experts: what it adds "
            "by itself, apart from the grouping. To the right the mixture of experts is better."
        )
        return Figure("Effect of the mixture of experts", caption, [drawing])

    def data_scale(self) -> Figure | None:
        """Effect against training images, a panel a task."""
        if len({comparison.fraction for comparison in self.findings.comparisons}) < 2:
            return None
        drawings = []
        for number, (id, task) in enumerate(self.tasks.items(), 1):
            found = [
                (task.training_images[c.fraction], c)
                for c in self.findings.comparisons
                if c.task == id and c.arm in self.labels and task.training_images.get(c.fraction)
            ]
            if not found:
                continue
            turns = [turn for turn in self.findings.turns if turn.task == id]
            arms = self._arms([comparison for _, comparison in found])
            drawings.append(
                Drawing(
                    file_name(f"scale-{number:02d}-{id}"),
                    f"Standardised effect on {id} against its number of training images",
                    lambda id=id, arms=arms, found=found, turns=turns: draw_one_task(  # type: ignore[misc]
                        id, arms, found, turns
                    ),
                )
            )
        caption = (
            "Every arm was trained on the same nested parts of the data. Above the line the arm is "
            f"better than {self.reference} with the same images. A dashed line marks the number of "
            "training images at which harm turns to gain, or back; a dotted one with a "
            "question mark may be chance."
        )
        return Figure("Effect by amount of data, task by task", caption, drawings, narrow=True)

    def _others(self) -> list[tuple[str, str]]:
        """Names and labels of all arms but the reference."""
        return [each for each in self.labels.items() if each[0] != self.results.reference]

    def _arms(self, found: Sequence[Comparison]) -> dict[str, tuple[str, Look]]:
        there = {comparison.arm for comparison in found}
        return {arm: (label, self.looks[arm]) for arm, label in self.labels.items() if arm in there}

    def _by_group(self, chosen: set[str]) -> list[tuple[str, list[str]]]:
        """The tasks by group, groups in the study's order, tasks without one last."""
        members: dict[str, list[str]] = {group: [] for group in self.results.groups}
        alone: list[str] = []
        for id, task in self.tasks.items():
            if id in chosen:
                (members.setdefault(task.group, []) if task.group else alone).append(id)
        titled = [(self.results.groups.get(id, id), tasks) for id, tasks in members.items()]
        return [each for each in [*titled, ("no group", alone)] if each[1]]


def file_name(text: str) -> str:
    """A name that every file system takes; what goes before the first user's word tells it
    apart."""
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-")[:60]


def _known(value: float) -> bool:
    return value == value


def _undecided(found: Sequence[Comparison]) -> list[int]:
    return [row for row, each in enumerate(found) if each.verdict == "undecided"]
