"""The page of a study's report: whole, safe, the same each time, and true to the findings."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from simulated import PLANTED, Planted, simulated_study

from usmt.errors import ConfigError
from usmt.output import Output
from usmt.study.findings import Findings, Interval, Recommendation
from usmt.study.report import write_report
from usmt.study.results import Arm, RunRecord, StudyResults
from usmt.study.statistics import analyse

SECTIONS = (
    *("answer", "recommendation", "scores", "change", "transfer", "groups", "kinds", "experts"),
    *("scale", "published", "runs", "data", "settings", "reading"),
)


class Page(HTMLParser):
    """What a page has: tags with their attributes, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def values(self, attribute: str) -> list[str]:
        return [found for _, attributes in self.tags if (found := attributes.get(attribute))]


def findings_of(results: StudyResults) -> Findings:
    return analyse(results, Output.silent())


def report(findings: Findings, folder: Path) -> Path:
    page = write_report(findings, folder, Output.silent())
    assert page == folder / "index.html"
    return folder


def rows(folder: Path, table: str) -> list[dict[str, str]]:
    with (folder / "tables" / f"{table}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def findings() -> Findings:
    """Of a study that has all there is: parts of the data, both kinds of network, a failed run."""
    failed = [("cg-breast-moe", 1)]
    results = simulated_study(fractions=(0.25, 1.0), moe="both", failed=failed, resamples=100)
    return findings_of(results)


@pytest.fixture(scope="module")
def folder(findings: Findings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(findings, tmp_path_factory.mktemp("study") / "report")


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page(folder / "index.html")


# -- the page


def test_it_needs_nothing_else(page: Page):
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name[:2] == "on"]
    links = [*page.values("href"), *page.values("src"), *page.values("xlink:href")]
    assert links and all(link.startswith("#") for link in links)
    source = (Path(__file__).parents[2] / "usmt/study/report/templates/style.css").read_text()
    assert "url(" not in source and "@import" not in source


def test_links_lead_to_one_place_each(page: Page):
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    inside = [*page.values("href"), *page.values("xlink:href")]
    assert {link[1:] for link in inside} <= set(ids)
    used = {name for tag in page.tags for name in re.findall(r"url\(#([^)]+)\)", str(tag))}
    assert used and used <= set(ids)
    assert set(page.values("aria-labelledby")) <= set(ids)


def test_every_section_is_there_and_in_the_contents(page: Page):
    sections = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    assert tuple(sections) == SECTIONS
    assert {f"#{section}" for section in SECTIONS} <= set(page.values("href"))
    (root,) = [attributes for tag, attributes in page.tags if tag == "html"]
    assert root["lang"] == "en"
    figures = [tag for tag, _ in page.tags].count("figure")
    assert figures == [tag for tag, _ in page.tags].count("figcaption") >= 9
    assert all(attributes["aria-label"] for tag, attributes in page.tags if tag == "svg")


def test_it_says_what_was_found(page: Page, findings: Findings):
    for sentence in [*findings.answer, *findings.cautions]:
        assert " ".join(sentence.split()) in page.text
    for recommendation in findings.recommendations:
        assert recommendation.reason in page.text
    assert "Synthetic images." in page.text
    assert "the loss stayed non-finite for 20 steps" in page.text
    assert "7b1d5e0c92aa41f3" in page.text
    assert "budget: epochs: 30" in page.text


def test_figures_have_their_names_as_text(page: Page, findings: Findings):
    text = page.text
    for task in findings.results.tasks:
        assert text.count(task.id) > 5
    verdicts = {c.verdict for c in findings.comparisons if c.fraction == 1}
    marks = {"gain": "▲", "harm": "▼", "neutral": "≈", "undecided": "?"}
    cells = {mark for mark in marks.values() if re.search(rf"\{mark} [+−]\d", text)}
    assert cells == {marks[verdict] for verdict in verdicts}


def test_the_same_findings_give_the_same_bytes(findings: Findings, folder: Path, tmp_path: Path):
    again = report(findings, tmp_path / "again")
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    assert all((folder / file).read_bytes() == (again / file).read_bytes() for file in files)


# -- what lies beside it


def test_every_figure_shows_something(folder: Path):
    drawn = sorted((folder / "figures").glob("*.svg"))
    assert len(drawn) > 15
    assert {path.stem for path in drawn} == {path.stem for path in (folder / "figures").iterdir()}
    for path in drawn:
        assert "<text" in path.read_text()
        pixels = np.asarray(Image.open(path.with_suffix(".png")).convert("L"))
        assert 0.003 < (pixels < 200).mean() < 0.6, path.name


def test_the_links_of_the_markdown_resolve(folder: Path, findings: Findings):
    text = (folder / "report.md").read_text()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 25
    assert all((folder / unquote(link)).is_file() for link in links)
    pictures = set(re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text))
    assert pictures == {f"figures/{path.name}" for path in (folder / "figures").glob("*.svg")}
    assert findings.recommendations[0].reason.split("_")[0] in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.M):  # cells of a row as many as columns
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_tables_hold_the_numbers_of_the_findings(folder: Path, findings: Findings):
    told = {
        (row["task"], row["metric"], row["arm"], float(row["fraction"])): row
        for row in rows(folder, "scores")
    }
    assert len(told) == len(findings.scores)
    for score in findings.scores:
        row = told[score.task, score.metric, score.arm, score.fraction]
        assert same(row, "score", score.score)
        assert [float(value) for value in row["by_seed"].split()] == list(score.by_seed)

    tables = ("comparisons", "comparisons_of_other_metrics", "moe")
    for name, found in zip(
        tables, (findings.comparisons, findings.secondary, findings.moe), strict=True
    ):
        for row, comparison in zip(rows(folder, name), found, strict=True):
            assert (row["task"], row["arm"]) == (comparison.task, comparison.arm)
            assert row["verdict"] == comparison.verdict
            for key in ("difference", "relative", "effect"):
                assert same(row, key, getattr(comparison, key))
            assert number(row["p_holm"]) == pytest.approx(comparison.p_holm, nan_ok=True)

    means = [mean for mean in findings.means if mean.kind in ("group", "all")]
    read = rows(folder, "group_means")
    assert len(read) == len(means)
    for mean in means:
        group = mean.name if mean.kind == "group" else ""
        (row,) = [
            row
            for row in read
            if (row["group"], row["arm"], float(row["fraction"]))
            == (group, mean.arm, mean.fraction)
        ]
        assert same(row, "effect", mean.effect) and same(row, "relative", mean.relative)
        assert number(row["raw"]) == pytest.approx(mean.paper, nan_ok=True)
        if mean.name == "ob" and mean.arm == "cg-moe":
            assert float(row["published_raw"]) == 2.93

    experts = [mean for mean in findings.means if mean.kind == "mixture of experts"]
    assert {mean.name for mean in experts} == {"cg", "au"}
    for row, mean in zip(rows(folder, "moe_means"), experts, strict=True):
        assert (row["kind"], row["arm"], row["against"]) == (mean.kind, mean.arm, mean.reference)
        assert same(row, "effect", mean.effect) and same(row, "relative", mean.relative)
        assert int(row["tasks"]) == len(mean.tasks)

    for row, turn in zip(rows(folder, "turns"), findings.turns, strict=True):
        assert same(row, "slope", turn.slope)
        assert row["turns_at"] == ("" if turn.turns_at is None else str(turn.turns_at))
    for row, run in zip(rows(folder, "runs"), findings.results.runs, strict=True):
        assert (row["id"], row["state"], row["failure"]) == (run.id, run.state, run.failure)
        assert number(row["seconds"]) == pytest.approx(run.seconds or math.nan, nan_ok=True)
    published = {(row["task"], row["arm"]): row for row in rows(folder, "published")}
    assert float(published["FUGC", "ts"]["published"]) == 30.4
    ours = next(
        s.score for s in findings.scores
        if (s.task, s.metric, s.arm, s.fraction) == ("FUGC", "mre", "au-moe", 1.0)
    )  # fmt: skip
    assert same(published["FUGC", "au"], "here", ours)


def same(row: dict[str, str], key: str, interval: Interval) -> bool:
    ends = [number(row[name]) for name in (key, f"{key}_low", f"{key}_high")]
    return np.array_equal(ends, [interval.value, interval.low, interval.high], equal_nan=True)


def number(text: str) -> float:
    return float(text) if text else math.nan


def test_the_search_for_learning_rates_is_told(tmp_path: Path):
    results = simulated_study(PLANTED[:2], seeds=(0,), resamples=50)
    first = results.runs[0]
    tried = [
        replace(first, id=f"search-{factor}", factor=factor, chosen=False, selection=selection)
        for factor, selection in ((0.3, 0.61), (3.0, 0.42))
    ]
    findings = findings_of(replace(results, runs=[*tried, *results.runs]))
    told = rows(report(findings, tmp_path / "report"), "learning_rates")[0]
    assert told["chosen"] == "1.0"
    assert told["tried"] == "×0.3: 0.610; ×1: 0.750; ×3: 0.420"


def test_what_a_mean_leaves_out_and_what_a_verdict_leaves_unsaid_is_told(tmp_path: Path):
    findings = findings_of(simulated_study(PLANTED[:3], resamples=50))
    means = [replace(mean, effect_tasks=mean.tasks[1:]) for mean in findings.means]
    compared = [replace(each, remark="the same network") for each in findings.comparisons]
    made = report(replace(findings, means=means, comparisons=compared), tmp_path / "report")
    for row, mean in zip(rows(made, "task_type_means"),
                         [m for m in means if m.kind == "task type"], strict=True):  # fmt: skip
        assert row["left_out"] == f"effect: {mean.tasks[0]}"
        assert int(row["tasks"]) == len(mean.tasks)
    assert {row["remark"] for row in rows(made, "comparisons")} == {"the same network"}


# -- odd studies

NASTY = "<script>alert('1')</script> | `x` $a$ [b](c) \x1b[31m 超音波"


def test_names_are_shown_as_they_are_and_do_nothing(tmp_path: Path):
    planted = [replace(task, id=f"{task.id}{NASTY}") for task in PLANTED[:3]]
    results = simulated_study(planted, seeds=(0, 1), resamples=50)
    results = replace(
        results,
        title=NASTY,
        groups=dict.fromkeys(results.groups, NASTY),
        tasks=[replace(task, title=NASTY * 20) for task in results.tasks],
        arms=[*results.arms, Arm(NASTY, NASTY, True)],
        settings={NASTY: {"list": [NASTY, None, 1.5]}},
        data={NASTY: {NASTY: [NASTY]}},
    )
    findings = replace(
        findings_of(results), answer=[NASTY], cautions=[NASTY],
        recommendations=[Recommendation(results.tasks[0].id, "group", NASTY, NASTY)],
    )  # fmt: skip
    made = report(findings, tmp_path / "report")
    page = Page(made / "index.html")
    assert "script" not in {tag for tag, _ in page.tags}
    assert all(link.startswith("#") for link in page.values("href"))
    assert NASTY.replace("\x1b", " ") in " ".join(page.texts)
    assert "\x1b" not in (made / "index.html").read_text()
    markdown = (made / "report.md").read_text()
    outside = re.sub(r"^    .*$", "", markdown, flags=re.M)
    assert "<script" not in outside and "[b](c)" not in outside
    assert all(re.fullmatch(r"[a-z0-9_.-]+", path.name) for path in (made / "figures").iterdir())


def test_text_of_figures_is_escaped(tmp_path: Path):
    planted = [replace(PLANTED[0], id='<b a="">&')]
    made = report(findings_of(simulated_study(planted, resamples=50)), tmp_path / "report")
    page = Page(made / "index.html")
    assert "b" not in {tag for tag, _ in page.tags}
    assert '<b a="">&' in page.texts


def large() -> list[Planted]:
    return [
        replace(PLANTED[i % len(PLANTED)], id=f"task_{i:02d}", training_images=100 * (i + 1))
        for i in range(27)
    ]


def odd_studies() -> Iterator[tuple[str, StudyResults]]:
    yield "one task", simulated_study(PLANTED[:1], resamples=50)
    yield "one seed", simulated_study(PLANTED[:3], seeds=(4,), resamples=50)
    alone = [replace(task, group="") for task in PLANTED[:3]]
    yield "no groups", simulated_study(alone, published=False, synthetic=False, resamples=50)
    only = simulated_study(PLANTED[:2], resamples=50)
    yield "reference only", replace(only, arms=only.arms[:1], runs=[])
    lost = [("au", 0), ("au", 1), ("au", 2), ("ts-FUGC", 0), ("ts-FUGC", 1), ("ts-FUGC", 2)]
    yield "arms without scores", simulated_study(PLANTED[:4], failed=lost, resamples=50)
    yield "27 tasks, 5 arms", simulated_study(large(), seeds=(0, 1), moe="both", resamples=50)
    nothing = simulated_study(PLANTED[:2], resamples=50)
    yield "nothing measured", replace(nothing, scores=[], runs=[], settings={}, data={}, seeds=[])


@pytest.mark.parametrize("results", [pytest.param(r, id=name) for name, r in odd_studies()])
def test_odd_studies_have_a_report(results: StudyResults, tmp_path: Path):
    made = report(findings_of(results), tmp_path / "report")
    page = Page(made / "index.html")
    assert {"answer", "data", "reading"} <= set(page.values("id"))
    assert not re.search(r"\b(nan|None|inf)\b", page.text)
    assert ("Synthetic images." in page.text) == results.synthetic
    assert ("published" in page.values("id")) == any(task.published for task in results.tasks)


def test_what_is_not_known_is_said_so(tmp_path: Path):
    nan = math.nan
    findings = findings_of(simulated_study(PLANTED[:3], fractions=(0.5, 1.0), resamples=50))
    unknown = Interval(nan, nan, nan)
    runs = [RunRecord("r", "u", ["ts"], [], False, 0, 1.0, None, True, "missing")]
    findings = replace(
        findings,
        results=replace(findings.results, runs=runs),
        scores=[replace(each, score=unknown, by_seed=[nan, 0.5]) for each in findings.scores],
        comparisons=[
            replace(c, difference=unknown, relative=unknown, effect=unknown, p=nan, p_holm=nan)
            for c in findings.comparisons
        ],
        means=[replace(m, effect=unknown, relative=unknown, paper=nan) for m in findings.means],
        turns=[replace(turn, slope=unknown, turns_at=None) for turn in findings.turns],
        answer=[],
        recommendations=[],
    )
    made = report(findings, tmp_path / "report")
    page = Page(made / "index.html")
    assert "There is no answer yet" in page.text
    assert "recommendation" not in page.values("id")
    assert not re.search(r"\bnan\b", page.text)
    assert {row["effect"] for row in rows(made, "comparisons")} == {""}


# -- the folder


def test_a_report_takes_the_place_of_the_last_one(tmp_path: Path):
    findings = findings_of(simulated_study(PLANTED[:2], resamples=50))
    made = report(findings, tmp_path / "deep" / "report")
    (made / "figures" / "old.svg").write_text("old")
    report(findings, made)
    assert not (made / "figures" / "old.svg").exists()
    assert [path.name for path in made.parent.iterdir()] == ["report"]


def test_other_folders_are_left_alone(tmp_path: Path, findings: Findings):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"other things than a report, e.g. thesis.txt"):
        write_report(findings, tmp_path, Output.silent())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(ConfigError, match="is a file"):
        write_report(findings, tmp_path / "thesis.txt", Output.silent())


def test_a_report_that_fails_leaves_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    findings = findings_of(simulated_study(PLANTED[:1], resamples=50))
    made = report(findings, tmp_path / "report")
    before = (made / "index.html").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("usmt.study.report.table.write_csv", full)
    with pytest.raises(ConfigError, match="No space left"):
        write_report(findings, made, Output.silent())
    assert (made / "index.html").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_figures_are_counted_as_they_are_drawn(tmp_path: Path):
    said = StringIO()
    findings = findings_of(simulated_study(PLANTED[:1], seeds=(0,), resamples=50))
    write_report(findings, tmp_path / "report", Output(stdout=StringIO(), stderr=said))
    assert re.search(r"figures: \d+ of \d+", said.getvalue())
