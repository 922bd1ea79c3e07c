"""What a report says, section by section. The page and the Markdown are two forms of this."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ruamel.yaml import YAML

from usmt.output import jsonable
from usmt.study.findings import Findings
from usmt.study.report import run_tables, tables, wording
from usmt.study.report.drawing import Figure
from usmt.study.report.figures import Figures
from usmt.study.report.table import Table
from usmt.study.results import StudyResults


@dataclass(frozen=True, slots=True)
class Section:
    """Text, then figures, then tables, then a listing that readers open; any may be absent."""

    id: str
    title: str
    text: Sequence[str] = ()
    figures: Sequence[Figure | None] = ()
    tables: Sequence[Table] = ()
    listing: str = ""

    def drawn(self) -> list[Figure]:
        return [figure for figure in self.figures if figure is not None]

    def filled(self) -> list[Table]:
        """The tables that have rows."""
        return [table for table in self.tables if table.rows]


def question(results: StudyResults) -> str:
    """What the study asks."""
    others = [arm for arm in results.arms if arm.name != results.reference]
    ways = [f"{a.label} ({wording.arm_meaning(results, a)})" for a in results.arms]
    reference = results.label(results.reference)
    if not others:
        return f"What does {reference} reach on {wording.counted(len(results.tasks), 'task')}?"
    if [arm.name for arm in results.arms if arm.paradigm == "ts"] != [results.reference]:
        tasks = wording.counted(len(results.tasks), "task")
        return f"Which is best for {tasks}: {wording.joined(ways, 'or')}?"
    together = [way for arm, way in zip(results.arms, ways, strict=True) if arm in others]
    which = f"these {len(results.tasks)} tasks" if len(results.tasks) > 1 else "this task"
    return (
        f"Is it better to train {which} each alone ({reference}), or together: "
        f"{wording.joined(together, 'or')}?"
    )


def facts(results: StudyResults) -> list[tuple[str, str]]:
    """The study at a glance."""
    states = Counter(run.state for run in results.runs)
    seconds = [run.seconds for run in results.runs if run.seconds is not None]
    return [
        ("tasks", f"{len(results.tasks)}"),
        ("arms", ", ".join(results.label(arm.name) for arm in results.arms)),
        ("seeds", ", ".join(map(str, results.seeds))),
        ("shares of the training data", ", ".join(f"{share:.0%}" for share in results.fractions)),
        ("runs", ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "0"),
        ("computing time", wording.duration(sum(seconds)) if seconds else wording.NOT_KNOWN),
        ("intervals", f"{results.confidence:.0%}, {results.resamples:,} resamples"),
        ("change that matters", f"beyond ±{results.margin:.0%}"),
    ]


def sections(findings: Findings) -> list[Section]:
    """All sections that have something to say."""
    results, figures = findings.results, Figures(findings)
    reference = results.label(results.reference)
    every = [
        Section(
            "recommendation",
            "Recommendation for each task",
            [_advice_told(findings)],
            tables=[tables.recommendations(findings)],
        ),
        Section(
            "scores",
            "Absolute scores",
            figures=[figures.scores(primary=True), figures.scores(primary=False)],
            tables=[tables.scores_by_arm(findings)],
        ),
        Section(
            "change",
            f"Change against {reference}",
            figures=[figures.changes()],
            tables=[
                tables.verdicts(findings),
                tables.comparisons(
                    findings, "comparisons", "Every comparison, primary metric",
                    findings.comparisons, _COMPARISON_NOTE,
                ),
                tables.comparisons(
                    findings, "comparisons_of_other_metrics", "Every comparison, other metrics",
                    findings.secondary,
                    "Exploratory: corrected among themselves, and without part in any advice.",
                ),
            ],
        ),
        Section("transfer", "Negative transfer", figures=[figures.matrix()]),
        Section(
            "groups",
            "Means by group",
            figures=[
                figures.means("group", "Mean effect by clinical group"),
            ],
            tables=[
                tables.group_means(findings),
            ],
        ),
        Section(
            "kinds",
            "By task type and training-set size",
            figures=[
                figures.means("task type", "Mean effect by task type"),
                figures.over_training_images(),
            ],
            tables=[
                tables.means(findings, "task type", "task_type_means", "Means by task type"),
                tables.means(
                    findings, "training images", "training_size_means",
                    "Means by training-set size",
                ),
            ],
        ),
        Section(
            "experts",
            "Mixture of experts",
            figures=[figures.mixture_of_experts()],
            tables=[
                tables.expert_means(findings),
                tables.comparisons(findings, "moe", "With against without mixture of experts",
                                   findings.moe),
            ],
        ),
        Section(
            "scale",
            "Amount of data",
            figures=[figures.data_scale()],
            tables=[tables.turns(findings)],
        ),
        Section(
            "published",
            "Published scores",
            ["From “Understanding Task Aggregation for Generalizable Ultrasound Foundation "
             "Models”, arXiv 2603.18123."]
            + ["The published scores are of real images, those of this study of synthetic ones: "
               "they cannot be compared."] * results.synthetic,
            tables=[tables.published_scores(findings)],
        ),
        Section(
            "runs",
            "Training",
            [_runs_told(results)],
            tables=[
                run_tables.failures(results),
                run_tables.learning_rates(results),
                run_tables.runs(results),
            ],
        ),
        Section("data", "Data", tables=[run_tables.tasks(results), run_tables.data(results)]),
        Section("settings", "Settings", listing=_as_yaml(results.settings)),
    ]  # fmt: skip
    return [each for each in every if each.drawn() or each.filled() or each.listing]


def files(findings: Findings) -> list[Table]:
    """The tables that are written beside those of the page."""
    return [tables.scores(findings)]


_COMPARISON_NOTE = (
    "Difference: arm less reference, in the metric's own unit. Relative change and effect: more is "
    "better. Effect: change over its standard deviation from source to source. p, Holm: corrected "
    "for all tasks and arms. Seeds: of the arm / of the reference."
)


def _advice_told(findings: Findings) -> str:
    """How often each advice is given."""
    counts = Counter(each.advice for each in findings.recommendations)
    told = [f"{wording.counted(counts[each], 'task')}: {words}"
            for each, words in wording.ADVICE.items() if counts[each]]  # fmt: skip
    share = wording.percentage(max(findings.results.fractions, default=1.0))
    return f"{'; '.join(told)}. With {share} of the training data."


def _runs_told(results: StudyResults) -> str:
    chosen = sum(run.chosen and run.state == "finished" for run in results.runs)
    told = f"{wording.counted(len(results.runs), 'run')}, {chosen} of them scored on test images"
    bad = sum(run.state in ("failed", "missing") for run in results.runs)
    return f"{told}; {bad} failed or missing." if bad else f"{told}; none failed."


def _as_yaml(settings: object) -> str:
    if not settings:
        return ""
    text = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.allow_unicode = True
    writer.dump(jsonable(settings), text)
    return text.getvalue()
