"""Bad small files of an application and bad lists of nodes; see `cases` for the numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.functional.bad_inputs.cases import ONE, Case, Jupiter, app, check, nodes, parsed

from jupiter.formats import jupiter_config

SMALL_FILES = [
    app(
        "23-missing-section",
        ONE,
        "app_config.ini: section [DOCKER_PORT] is missing",
        "got [SVC_PORT]",
        beside={"app_config.ini": "[SVC_PORT]\n"},
    ),
    app(
        "23-duplicate-key",
        ONE,
        "app_config.ini:3:1: key 'A' is written twice",
        "first on line 2",
        beside={"app_config.ini": "[DOCKER_PORT]\nA = 1\nA = 2\n[SVC_PORT]\nA = 1\n"},
    ),
    app(
        "23-interpolation",
        ONE,
        "app_config.ini:2:5: the value of 'A' asks for interpolation",
        "got '%(B)s'",
        beside={"app_config.ini": "[DOCKER_PORT]\nA = %(B)s\n[SVC_PORT]\nA = 1\n"},
    ),
    parsed(
        "23-index-outside-list",
        jupiter_config.parse,
        "[CONFIG]\nSCHEDULER = 7\n[OTHER]\n[SCHEDULER_LIST]\nHEFT = 0\nWAVE_RANDOM = 1\n",
        "file:2:13: SCHEDULER is not in [SCHEDULER_LIST]",
        "got '7'; expected 0 (HEFT), 1 (WAVE_RANDOM)",
    ),
    parsed(
        "23-minus-one",
        jupiter_config.parse,
        "[CONFIG]\n[OTHER]\nTASK_QUEUE_SIZE = -1\nMAX_LOG = -1\n",
        "file:4:11: 'MAX_LOG' cannot be unlimited",
        "got '-1'",
    ),
    app(
        "24-wrong-arity",
        ONE,
        "config.json:1:19: the entry of task 'a' has not at least two values",
        'got ["a"]; expected [script, is_dag, argument…]',
        beside={"config.json": '{"taskname_map": {"a": ["a"]}}'},
    ),
    app(
        "24-module-missing",
        ONE,
        "scripts/config.json:1:25: the script of task 'a' is missing",
        "expected the file scripts/a.py",
        beside={"scripts/config.json": '{"taskname_map": {"a": ["a", true]}}', "scripts/b.py": ""},
    ),
    app(
        "24-not-a-bool",
        ONE,
        "config.json:1:30: a flag of task 'a' is neither true nor false",
        'got "yes"',
        beside={"config.json": '{"taskname_map": {"a": ["a", "yes"]}}'},
    ),
    app(
        "25-row-missing",
        ONE,
        "name_convert.txt: there is no row for 'a'",
        "Try: add the row",
        beside={"name_convert.txt": "input botnet botnet\n"},
    ),
    app(
        "25-marker-not-in-name",
        ONE,
        "name_convert.txt:2:1: the input marker of task 'a' is not in the name",
        "got marker 'camera', file '1botnet.ipsum'",
        beside={
            "name_convert.txt": "input botnet botnet\na split camera\n",
            "sample_input/1botnet.ipsum": "",
        },
    ),
    app(
        "26-same-frame",
        ONE,
        "sample_input/a_2.txt: the file belongs to the same frame as sample_input/a_1.txt",
        "got 'a_2.txt'",
        beside={"sample_input/a_1.txt": "", "sample_input/a_2.txt": ""},
    ),
]
NODES = [
    nodes("27-empty", "", "nodes.txt: the file is empty", "Try: write a first line"),
    nodes(
        "28-duplicate-node",
        "home h0\nnode1 h1\nnode1 h2\n",
        "nodes.txt:3:1: node 'node1' is written twice",
        "first on line 2",
    ),
    nodes("29-no-home", "node1 h1\n", "nodes.txt: no line names the home node", "Try: add"),
    nodes(
        "30-literal-password",
        "home h0 me agent\nnode1 h1 me hunter2\n",
        "nodes.txt:2:13: clear-text password for node 'node1' (value not shown)",
        "Try: keep it elsewhere, write secret:node1 here",
    ),
    nodes(
        "31-placeholders",
        "scheduler IP user password\n",
        "nodes.txt:1:11: node 'scheduler' still has words of the template",
        "placeholder 'IP', placeholder 'user', placeholder 'password'",
        "Try: fill them in",
    ),
    nodes(
        "31-placeholders-with-commas",
        "Tag,Node,Region\nhome,USERNAME1@IP1,LOC1,PASSWORD1\n",
        "nodes.txt:2:16: node 'home' still has words of the template",
    ),
    nodes(
        "32-five-columns",
        "home h0 me hunter2 word\n",
        "nodes.txt:1:1: the line has too many columns",
        "got 5 columns",
        "Try: the format cannot hold passwords with blanks",
    ),
    *(
        nodes(f"33-{why}", f"home {host}\n", "nodes.txt:1:6: the address", f"got '{host}'")
        for why, host in (
            ("bad-address", "300.1.1.1"),
            ("port-0", "h0:0"),
            ("port-70000", "h0:70000"),
            ("ipv6-without-brackets", "fe80::1"),
        )
    ),
    nodes(
        "34-open-file",
        "home h0 me hunter2\n",
        "nodes.txt: others may read this file, and it holds passwords",
        "got mode 644; expected mode 600",
        "Try: chmod 600",
        mode=0o644,
    ),
    nodes(
        "35-unknown-secret",
        "home h0 me secret:nothing\n",
        "nodes.txt:1:12: the secret of node 'home' does not exist",
        "got 'secret:nothing'",
    ),
    nodes(
        "35-missing-file",
        "home h0 me file:nothing\n",
        "nodes.txt:1:12: the secret of node 'home' does not exist",
    ),
    Case(
        "35-open-file",
        {"nodes.txt": "home h0 me file:key\n", "key": "k"},
        ("nodes.txt:1:12: others may read the secret of node 'home'", "mode 644; expected mode"),
        modes={"key": 0o644},
    ),
    nodes(
        "35-unset-variable",
        "home h0 me env:JUPITER_TEST_NOT_SET\n",
        "nodes.txt:1:12: the variable with the secret of node 'home' is not set",
        "expected JUPITER_TEST_NOT_SET in the environment",
    ),
]


@pytest.mark.parametrize("case", [*SMALL_FILES, *NODES], ids=lambda case: case.id)
def test_bad_input_says_where_what_and_what_to_do(
    case: Case, tmp_path: Path, jupiter: Jupiter
) -> None:
    check(case, tmp_path, jupiter)


def test_28_same_address_of_two_nodes_is_a_warning(tmp_path: Path, jupiter: Jupiter) -> None:
    (tmp_path / "nodes.txt").write_text("home h0\nnode1 h1\nnode2 h1\n")
    ended = jupiter("nodes", "check", "nodes.txt")
    assert ended.code == 0
    assert "nodes.txt:3:7: warning: nodes 'node1' and 'node2' have the same address" in ended.text
