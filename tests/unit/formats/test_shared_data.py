"""Every file of the old systems loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jupiter.formats import (
    app_config,
    config_json,
    configuration,
    dag,
    generated,
    input_node,
    name_convert,
    nodes,
    tgff,
)
from jupiter.orchestrator.loading import load_app

SHARED = Path(__file__).parents[4] / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"the files of the old systems are not here ({SHARED})"
)

READERS: dict[str, Callable[[bytes], object]] = {
    "configuration.txt": configuration.parse,
    "config_security.txt": configuration.parse,
    "configuration_random.txt": configuration.parse,
    "dag_security.txt": dag.parse,
    "DAG_Scheduler.txt": dag.parse,
    "nodes_security.txt": nodes.parse,
    "app_config.ini": app_config.parse,
    "config.json": config_json.parse,
    "name_convert.txt": name_convert.parse,
    "input_node.txt": input_node.parse,
    "communication.txt": generated.parse_communication,
    "task_config.yml": generated.parse_task_config,
    "task_config_100.yml": generated.parse_task_config,
    "input_0.tgff": tgff.parse,
    "topcuoglu.tgff": tgff.parse,
}


def files() -> list[Path]:
    """Return all files but the captures and what DNAD made of them."""
    found = sorted(path for path in SHARED.rglob("*") if path.is_file())
    return [p for p in found if p.parent.name != "expected" and p.suffix != ".ipsum"]


@pytest.mark.parametrize("path", files(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_file_loads(path: Path) -> None:
    assert READERS[path.name](path.read_bytes())


@pytest.mark.parametrize(
    ("folder", "tasks", "edges", "services"),
    [("mcp", 5, 4, 0), ("coded_dnad", 20, 30, 21), ("dummy7", 7, 13, 0), ("dummy20", 22, 59, 0)],
)
def test_application_loads(folder: str, tasks: int, edges: int, services: int) -> None:
    app, _ = load_app(SHARED / "apps" / folder)
    assert (len(app.tasks), len(app.graph.edges), len(app.services)) == (tasks, edges, services)


def test_security_graph_has_its_schedule() -> None:
    found = configuration.parse((SHARED / "ipsum" / "config_security.txt").read_bytes()).value
    assert len(found.mapping) == 14


def test_tgff_of_the_old_experiment_has_the_known_contents() -> None:
    found = tgff.parse((SHARED / "ipsum" / "input_0.tgff").read_bytes()).value
    assert (len(found.tasks), len(found.arcs), len(found.nodes)) == (14, 18, 14)
    assert len(found.links) == 162
    # This pair is there twice, with different curves: the last one counts.
    assert found.links["node1", "node3"] == (-2.34205563905e-05, 0.256486594754, 1441.03871729)
