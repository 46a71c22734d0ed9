"""The page and the terminal report show any run, whole, and escape what users wrote."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import msgspec
import pytest
from rich.console import Console

from jupiter.cli import render
from jupiter.model.run import Report, RunRecord
from jupiter.reports import html, metrics

VOID = {"meta", "br", "path", "rect", "line", "circle", "polyline", "link"}
ReportOf = Callable[..., Report]
MakeRun = Callable[..., RunRecord]


class Checker(HTMLParser):
    """Checks that every tag closes and that every number of a picture is one."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta",):
            self.open.append(tag)
        for name, value in attrs:
            assert name not in ("src", "href", "onload", "onclick"), f"{tag} {name}={value}"
            if name in ("x", "y", "width", "height", "x1", "x2", "y1", "y2", "cx", "cy", "r"):
                assert value is not None
                assert value == "100%" or math.isfinite(float(value))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in ("meta",):
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def check(report: Report) -> str:
    page = html.render(report, "1.2.3")
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert not re.search(r"https?:|@import|url\(|<script", page)
    assert "nan" not in page.lower().replace("explanation", "")
    return page


SHAPES: dict[str, dict[str, int]] = {
    "small": {},
    "one-node": {"workers": 1},
    "one-task": {"tasks": 1, "workers": 1},
    "sixty-nodes": {"workers": 60, "tasks": 70},
    "two-hundred-tasks": {"tasks": 200, "workers": 8, "items": 3},
    "many-cores": {"cores": 16},
    "no-items": {"items": 0},
    "one-item": {"items": 1},
    "many-bars": {"items": 1500},
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_page_shows_any_run(make_run: MakeRun, report_of: ReportOf, shape: dict[str, int]) -> None:
    run = make_run(**shape)
    page = check(report_of(run, run))
    assert len(page) < 3_000_000
    for task in run.app.graph.tasks[:5]:
        assert task in page


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_terminal_report_fits_eighty_columns(
    make_run: MakeRun, report_of: ReportOf, shape: dict[str, int]
) -> None:
    run = make_run(**shape)
    console = Console(width=80, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(render.report(report_of(run, run)))
    assert max(len(line) for line in capture.get().splitlines()) <= 80
    assert f"of {len(run.items)} items" in capture.get()


def test_failed_items_are_shown_with_their_reason(make_run: MakeRun, report_of: ReportOf) -> None:
    run = make_run()
    bad = msgspec.structs.replace(run.items[3], status="failed", detail="it broke", done_s=None)
    broken = replace(run, items=(*run.items[:3], bad, *run.items[4:]))
    page = check(report_of(broken))
    assert "Items without results" in page
    assert "it broke" in page
    console = Console(width=100, force_terminal=False)
    with console.capture() as capture:
        console.print(render.report(report_of(broken)))
    assert "it broke" in capture.get()


def test_what_went_wrong_and_was_dealt_with_is_told(make_run: MakeRun, report_of: ReportOf) -> None:
    run = make_run()
    page = check(report_of(replace(run, notes=("node n2 was <lost>",))))
    assert "What went wrong" in page
    assert "node n2 was &lt;lost&gt;" in page
    assert "What went wrong" not in check(report_of(run))


def test_what_users_wrote_is_escaped(make_run: MakeRun, report_of: ReportOf) -> None:
    run = make_run()
    evil = "<img src=x onerror=alert(1)>&\"'"
    app = replace(run.app, name=evil)
    item = msgspec.structs.replace(run.items[0], name=evil, status="failed", detail=evil)
    network = replace(run.network, name=evil)
    page = check(report_of(replace(run, app=app, network=network, items=(item,))))
    assert "<img" not in page


def test_figures_of_a_run_add_up(make_run: MakeRun) -> None:
    run = make_run(items=20)
    rows = metrics.task_figures(run)
    assert [row.executions for row in rows] == [20] * 5
    assert sum(row.busy_s for row in metrics.node_figures(run)) == pytest.approx(
        sum(each.finish_s - each.execute_s for each in run.tasks)
    )
    sent = sum(t.size_bytes for t in run.transfers if t.source != t.target)
    assert sum(row.size_bytes for row in metrics.link_figures(run)) == sent
    assert [row.error for row in metrics.prediction_figures(run)] == pytest.approx([0, 0, 0])
