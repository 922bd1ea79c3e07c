"""The tables of what was found."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from usmt.study.findings import Comparison, Findings, Interval, MeanChange
from usmt.study.report import wording
from usmt.study.report.table import Column, Table
from usmt.study.results import StudyResults

TASK = Column("task", "task")
_METRIC = Column("metric", "metric")
FRACTION = Column.of("fraction", "data", wording.percentage)


def recommendations(findings: Findings) -> Table:
    results = findings.results
    columns = (
        TASK,
        Column("advice", "advice", lambda advice: wording.ADVICE.get(advice, advice)),
        Column("arm", "arm", lambda arm: results.label(arm) if arm else ""),
        Column("reason", "why"),
    )
    rows = [(each.task, each.advice, each.arm, each.reason) for each in findings.recommendations]
    return Table("recommendations", "How to train each task", columns, rows)


def scores_by_arm(findings: Findings) -> Table:
    """All metrics with all of the training data, a column an arm."""
    results = findings.results
    found: dict[tuple[str, str], dict[str, Interval]] = defaultdict(dict)
    for score in with_all_data(findings.scores):
        found[score.task, score.metric][score.arm] = score.score
    better = {
        (s.task, s.metric): "higher" if s.higher_is_better else "lower" for s in results.scores
    }
    trivial = {task.id: task.trivial for task in results.tasks}
    columns = (
        TASK,
        _METRIC,
        Column("better", "better"),
        *(
            Column.estimate(arm.name, results.label(arm.name), wording.score)
            for arm in results.arms
        ),
        Column.of("never_looks", "never looks", wording.score),
    )
    rows = [
        (
            task,
            metric,
            better.get((task, metric)),
            *(arms.get(arm.name) for arm in results.arms),
            trivial.get(task, {}).get(metric),
        )
        for (task, metric), arms in found.items()
    ]
    note = f"Mean over seeds ({results.confidence:.0%} interval). "
    note += "Never looks: the best predictor that does not see the image."
    return Table("scores_by_arm", "Scores of every metric", columns, rows, note, folded=True)


def scores(findings: Findings) -> Table:
    """One row a score, for programs: at every fraction, with each seed's."""
    columns = (
        TASK,
        _METRIC,
        Column("arm", "arm"),
        FRACTION,
        Column.estimate("score", "score", wording.score),
        Column("by_seed", "by seed"),
    )
    rows = [(s.task, s.metric, s.arm, s.fraction, s.score, s.by_seed) for s in findings.scores]
    return Table("scores", "Scores", columns, rows)


def verdicts(findings: Findings) -> Table:
    """How many tasks each arm helps and harms."""
    results = findings.results
    counts = Counter((c.arm, c.verdict) for c in with_all_data(findings.comparisons))
    arms = [arm.name for arm in results.arms if arm.name != results.reference]
    columns = (
        Column("arm", "arm", lambda arm: results.label(arm)),
        *(Column.of(each, f"{mark} {each}", wording.count) for each, mark in wording.MARKS.items()),
    )
    rows = [(arm, *(counts[arm, each] for each in wording.MARKS)) for arm in arms]
    reference = results.label(results.reference)
    return Table("verdicts", f"Tasks by verdict, against {reference}", columns, rows)


def comparisons(
    findings: Findings, name: str, title: str, chosen: Sequence[Comparison], note: str = ""
) -> Table:
    results = findings.results
    columns = (
        TASK,
        _METRIC,
        Column("arm", "arm", lambda arm: results.label(arm)),
        Column("reference", "against", lambda arm: results.label(arm)),
        FRACTION,
        Column.estimate("difference", "difference", wording.signed),
        Column.estimate("relative", "relative change", wording.change),
        Column.estimate("effect", "effect", wording.signed),
        Column.of("p", "p", wording.probability),
        Column.of("p_holm", "p, Holm", wording.probability),
        Column("verdict", "verdict", lambda each: f"{wording.MARKS.get(each, '')} {each}"),
        Column.of("images", "images", wording.count),
        Column.of("sources", "sources", wording.count),
        Column("seeds", "seeds", lambda seeds: " / ".join(map(str, seeds))),
        Column("remark", "remark"),
    )
    rows = [
        (c.task, c.metric, c.arm, c.reference, c.fraction, c.difference, c.relative, c.effect,
         c.p, c.p_holm, c.verdict, c.images, c.sources, c.seeds, c.remark)
        for c in chosen
    ]  # fmt: skip
    return Table(name, title, columns, rows, note, folded=True)


def means(findings: Findings, kind: str, name: str, title: str) -> Table:
    """Mean changes of one kind, without the paper's arithmetic."""
    rows = [(m.name, *_mean_values(m), _left_out(m)) for m in findings.means if m.kind == kind]
    columns = (Column("name", kind), *_mean_columns(findings.results), _LEFT_OUT)
    return _first_with_all_data(Table(name, title, columns, rows, folded=True))


def group_means(findings: Findings) -> Table:
    """The paper's Table 2, both ways, beside the published one; then the mean over all tasks."""
    results = findings.results
    columns = (
        Column("group", "group", lambda each: group_title(results, each)),
        *_mean_columns(results),
        Column.of("raw", "mean raw difference (mixes units)", wording.signed),
        Column.of("published_raw", "the same, published", wording.signed),
        _LEFT_OUT,
    )
    groups = [*results.groups, ""]
    rows = [
        (m.name if m.kind == "group" else "", *_mean_values(m), m.paper,
         _published_mean(results, m), _left_out(m))
        for m in findings.means
        if m.kind in ("group", "all")
    ]  # fmt: skip
    rows.sort(key=lambda row: (row[2], groups.index(row[0]) if row[0] in groups else len(groups)))
    note = (
        "The mean effect may be averaged and compared between groups. The mean raw difference is "
        "the arithmetic of the paper's Table 2: it adds pixels to shares, so that a task measured "
        "in pixels outweighs all others. It is here to be set beside the published figures."
    )
    return _first_with_all_data(
        Table("group_means", "Means by group (Table 2)", columns, rows, note)
    )


def expert_means(findings: Findings) -> Table:
    """What a mixture of experts adds over all tasks, and whether grouping gains more with it."""
    results = findings.results
    what = {
        "mixture of experts": "with experts against without",
        "grouping x experts": "gain of grouping, with experts less without",
    }
    columns = (
        Column("kind", "what", lambda kind: what.get(kind, kind)),
        Column("against", "against", lambda arm: results.label(arm)),
        *_mean_columns(results),
        _LEFT_OUT,
    )
    rows = [
        (m.kind, m.reference, *_mean_values(m), _left_out(m))
        for m in findings.means
        if m.kind in what
    ]
    note = (
        "Means over tasks. The lower rows tell whether training together gains more where there "
        "are experts: the gain of the arm with them, less that of the same arm without."
    )
    table = Table("moe_means", "Mean effect of the mixture of experts", columns, rows, note)
    return _first_with_all_data(table)


_LEFT_OUT = Column("left_out", "left out")


def _mean_values(mean: MeanChange) -> tuple[Any, ...]:
    """By `_mean_columns`."""
    return mean.arm, mean.fraction, len(mean.tasks), mean.effect, mean.relative


def _left_out(mean: MeanChange) -> str:
    """Tasks that a mean had to leave out, since they have no effect or relative change."""
    kept = {"effect": mean.effect_tasks, "relative change": mean.relative_tasks}
    missing = {what: [t for t in mean.tasks if t not in tasks] for what, tasks in kept.items()}
    return "; ".join(f"{what}: {', '.join(tasks)}" for what, tasks in missing.items() if tasks)


def _mean_columns(results: StudyResults) -> tuple[Column, ...]:
    return (
        Column("arm", "arm", lambda arm: results.label(arm)),
        FRACTION,
        Column.of("tasks", "tasks", wording.count),
        Column.estimate("effect", "mean effect", wording.signed),
        Column.estimate("relative", "mean relative change", wording.change),
    )


def _first_with_all_data(table: Table) -> Table:
    """The page shows the rows of the largest fraction only."""
    at = table.columns.index(FRACTION)
    largest = max((row[at] for row in table.rows), default=1.0)
    chosen = [row for row in table.rows if row[at] == largest]
    if len(chosen) == len(table.rows):
        return table
    note = f"{table.note} Smaller shares of the data: in the CSV file.".strip()
    return replace(table, on_page=chosen, note=note)


def published_scores(findings: Findings) -> Table:
    """The paper's scores beside those of this study, where the task is the same."""
    results = findings.results
    found = {(s.task, s.metric, s.arm): s.score for s in with_all_data(findings.scores)}
    rows = []
    for task in results.tasks:
        for key, metrics in task.published.items():
            arm = wording.published_arm(results, key)
            for metric, score in metrics.items():
                ours = found.get((task.id, metric, arm.name)) if arm else None
                rows.append((task.id, metric, key, score, ours))
    columns = (
        TASK,
        _METRIC,
        Column("arm", "arm", lambda key: key.upper()),
        Column.of("published", "published", wording.score),
        Column.estimate("here", "this study", wording.score),
    )
    note = "Another network, other seeds and another split: the same direction is all to look for."
    return Table("published", "Published scores and ours", columns, rows, note)


def turns(findings: Findings) -> Table:
    results = findings.results
    columns = (
        TASK,
        Column("arm", "arm", lambda arm: results.label(arm)),
        Column.estimate("slope", "effect for each doubling of the data", wording.signed),
        Column.of("turns_at", "turns at (training images)", _whole),
        Column("direction", "direction"),
        Column("certain", "certain", lambda value: "yes" if value else "no"),
    )
    rows = [(t.task, t.arm, t.slope, t.turns_at, t.direction, t.certain) for t in findings.turns]
    note = (
        "Turning points lie on straight lines between the trained sizes: read them as rough, and "
        "as chance where the interval of the slope holds 0."
    )
    return Table("turns", "Where grouping turns", columns, rows, note, folded=True)


def group_title(results: StudyResults, group: str) -> str:
    """The title of a group; without a group, all tasks."""
    return results.groups.get(group, group) if group else "all tasks"


def with_all_data(each: Sequence[Any]) -> list[Any]:
    """Those of the largest fraction."""
    largest = max((one.fraction for one in each), default=1.0)
    return [one for one in each if one.fraction == largest]


def _published_mean(results: StudyResults, mean: MeanChange) -> float | None:
    for key, value in results.published_means.get(mean.name, {}).items():
        arm = wording.published_arm(results, key)
        if arm and arm.name == mean.arm:
            return value
    return None


def _whole(value: float | None) -> str:
    return wording.NOT_KNOWN if value is None else f"{value:,.0f}"
