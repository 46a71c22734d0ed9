"""Bad schedules, costs and curves of links; see `cases` for the numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.functional.bad_inputs.cases import ONE, Case, Content, Jupiter, app, check, parsed

from jupiter.formats import dag, link_parameters, mapping, tgff
from jupiter.formats.text import Faults

TGFF = """@TASK_GRAPH 0 {
\tAPERIODIC

\tTASK a\tTYPE 0
\tTASK b\tTYPE 1

\tARC a0_0 \tFROM t0_0 TO t0_1 \tTYPE 18

}
@computation_cost 0 {
# type version n1 n2
  t0_0    0\t14 16
  t0_1    0\t13 19
}
@quadratic 0 {
# Source Destination a b c
  n1\tn2\t0.0 1.0 0.0
}
"""


def parse_schedule(content: Content, file: str) -> object:
    faults = Faults(file)
    mapping.check(mapping.read(content, faults), ("a", "b"), ("node1", "node2"), faults)
    return faults.parsed(None)


SCHEDULES = [
    app(
        "19-unknown-task",
        ONE + "b n1\na n1\n",
        "configuration.txt:3:1: the schedule names an unknown task",
        "got 'b'",
    ),
    app(
        "19-task-twice",
        ONE + "a n1\na n2\n",
        "configuration.txt:4:1: task a is put on two nodes",
        "got n2; n1 on line 3",
    ),
    app(
        "19-task-missing",
        "2\na 1 true b\nb 1 true home\na n1\n",
        "configuration.txt: task 'b' has no node",
        "Try: add one",
    ),
    parsed(
        "19-unknown-node",
        parse_schedule,
        "a node1\nb node3\n",
        "file:2:3: the schedule names an unknown node",
        "got 'node3'",
        "did you mean that?",
    ),
    parsed(
        "20-count-in-the-middle",
        dag.parse,
        "a b\n2\nb home\n",
        "file:2:1: a count stands among the lines of the graph",
        "got '2'",
    ),
]
COSTS = [
    parsed(
        "21-unknown-section",
        tgff.parse,
        TGFF + "@colour 0 {\n}\n",
        "file:19:1: a section is unknown",
        "got '@colour'",
    ),
    parsed(
        "21-arc-to-unknown-task",
        tgff.parse,
        TGFF.replace("TO t0_1", "TO t0_7"),
        "file:7:25: this is no task of the graph",
        "got 't0_7'; expected t0_0 to t0_1",
    ),
    parsed(
        "21-duplicate-arc",
        tgff.parse,
        TGFF.replace("TYPE 18\n", "TYPE 18\n\tARC a0_1 \tFROM t0_0 TO t0_1 \tTYPE 9\n"),
        "file:8:17: the arc from a to b is written twice",
    ),
    parsed(
        "21-missing-cost",
        tgff.parse,
        TGFF.replace("13 19", "13"),
        "file:13:3: task b has 1 costs for 2 processors",
    ),
    parsed(
        "21-extra-cost",
        tgff.parse,
        TGFF.replace("13 19", "13 19 20"),
        "file:13:3: task b has 3 costs for 2 processors",
    ),
    *(
        parsed(
            f"21-cost-{cost}",
            tgff.parse,
            TGFF.replace("13 19", f"13 {cost}"),
            "file:13:16: a cost of b is no",
            f"got '{cost}'",
            "expected a finite decimal number of 0 or more",
        )
        for cost in ("-1", "nan", "inf")
    ),
    parsed(
        "21-unclosed-brace",
        tgff.parse,
        TGFF.rstrip("}\n") + "\n",
        "file:15:1: section @quadratic is not closed",
    ),
    parsed(
        "21-two-graphs",
        tgff.parse,
        TGFF + "@TASK_GRAPH 0 {\n}\n",
        "file:19:1: there are two sections @TASK_GRAPH",
    ),
    parsed(
        "22-two-numbers",
        link_parameters.parse,
        "1.0 2.0",
        "file:1:1: link parameters are not three numbers",
        "got '1.0 2.0'",
    ),
    parsed("22-nan", link_parameters.parse, "0 nan 1", "file:1:3: parameter b", "got 'nan'"),
    parsed(
        "22-negative-curve",
        link_parameters.parse,
        "-1 -1 -1",
        "file:1:1: the curve of a link is negative for every size",
        "got -1.0 -1.0 -1.0",
    ),
]


@pytest.mark.parametrize("case", [*SCHEDULES, *COSTS], ids=lambda case: case.id)
def test_bad_input_says_where_what_and_what_to_do(
    case: Case, tmp_path: Path, jupiter: Jupiter
) -> None:
    check(case, tmp_path, jupiter)
