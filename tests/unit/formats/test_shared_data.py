"""The real files of the seeds load; they lie beside the project and are not part of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupiter.formats import (
    app_config,
    app_toml,
    communication,
    config_json,
    configuration,
    dag,
    input_node,
    name_convert,
    nodes,
    task_config,
    tgff,
)
from jupiter.formats.application import load_application
from jupiter.formats.text import Faults
from jupiter.orchestrator.loading import load_app

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is not on this machine")

Parse = Callable[..., Any]
Dumps = Callable[..., str]
FORMATS: dict[str, tuple[Parse, Dumps]] = {
    "ipsum/config_security.txt": (configuration.parse, configuration.dumps),
    "ipsum/configuration_random.txt": (configuration.parse, configuration.dumps),
    "apps/coded_dnad/configuration.txt": (configuration.parse, configuration.dumps),
    "apps/dummy7/configuration.txt": (configuration.parse, configuration.dumps),
    "apps/dummy20/configuration.txt": (configuration.parse, configuration.dumps),
    "apps/mcp/configuration.txt": (configuration.parse, configuration.dumps),
    "ipsum/dag_security.txt": (dag.parse, dag.dumps),
    "apps/coded_dnad/DAG_Scheduler.txt": (dag.parse, dag.dumps),
    "ipsum/nodes_security.txt": (nodes.parse, nodes.dumps),
    "ipsum/input_0.tgff": (tgff.parse, tgff.dumps),
    "heft_canonical/topcuoglu.tgff": (tgff.parse, tgff.dumps),
    "apps/coded_dnad/config.json": (config_json.parse, config_json.dumps),
    "apps/dummy7/config.json": (config_json.parse, config_json.dumps),
    "apps/dummy20/config.json": (config_json.parse, config_json.dumps),
    "apps/mcp/config.json": (config_json.parse, config_json.dumps),
    "apps/dummy7/app_config.ini": (app_config.parse, app_config.dumps),
    "apps/dummy20/app_config.ini": (app_config.parse, app_config.dumps),
    "apps/mcp/app_config.ini": (app_config.parse, app_config.dumps),
    "apps/dummy7/name_convert.txt": (name_convert.parse, name_convert.dumps),
    "apps/dummy20/name_convert.txt": (name_convert.parse, name_convert.dumps),
    "apps/dummy7/input_node.txt": (input_node.parse, input_node.dumps),
    "apps/dummy20/input_node.txt": (input_node.parse, input_node.dumps),
    "apps/mcp/input_node.txt": (input_node.parse, input_node.dumps),
    "apps/dummy7/communication.txt": (communication.parse, communication.dumps),
    "apps/dummy20/communication.txt": (communication.parse, communication.dumps),
    "apps/task_config.yml": (task_config.parse, task_config.dumps),
    "apps/task_config_100.yml": (task_config.parse, task_config.dumps),
}
NO_FORMAT = {".ipsum", ".log", ""}


@pytest.mark.parametrize("path", FORMATS)
def test_real_file_loads_and_reads_back(path: str) -> None:
    parse, dumps = FORMATS[path]
    value = parse((DATA / path).read_bytes(), path).value
    assert parse(dumps(value), path).value == value


def test_every_file_with_a_format_is_tried() -> None:
    files = {p.relative_to(DATA).as_posix() for p in DATA.rglob("*") if p.is_file()}
    described = {path for path in files if Path(path).suffix not in NO_FORMAT}
    assert described <= set(FORMATS)


@pytest.mark.parametrize(
    ("name", "tasks", "edges", "services"),
    [("coded_dnad", 20, 30, 21), ("dummy7", 7, 13, 0), ("dummy20", 22, 59, 0), ("mcp", 5, 4, 0)],
)
def test_real_application_loads_and_converts(
    name: str, tasks: int, edges: int, services: int
) -> None:
    app, notes = load_app(DATA / "apps" / name)
    assert (len(app.tasks), len(app.graph.edges), len(app.services)) == (tasks, edges, services)
    assert any("code of the tasks was not checked" in note.problem for note in notes)
    files = {"app.toml": app_toml.dumps(app)}
    assert load_application(files, app.root, name).value == app


def test_shipped_tgff_has_the_known_numbers() -> None:
    parsed = tgff.parse((DATA / "ipsum/input_0.tgff").read_bytes())
    found = parsed.value
    assert (len(found.tasks), len(found.arcs), len(found.processors)) == (14, 18, 14)
    assert len(found.curves) == 162
    assert "20 links are fitted more than once" in str(parsed.notes[0])


def test_textbook_graph_is_written_as_it_was() -> None:
    text = (DATA / "heft_canonical/topcuoglu.tgff").read_text()
    assert tgff.dumps(tgff.parse(text).value) == text.rstrip("\n") + "\n"


def test_shipped_nodes_are_refused_only_when_they_are_to_be_used() -> None:
    found = nodes.parse((DATA / "ipsum/nodes_security.txt").read_bytes()).value
    assert (found.variant, len(found.nodes)) == ("login", 15)
    faults = Faults()
    nodes.check(found, faults)
    assert len([fault for fault in faults.errors if "template" in fault.problem]) == 15
