"""Bad inputs 21 and 22: what is wrong with a TGFF file is told with its place."""

from __future__ import annotations

import pytest

from jupiter.errors import InputError
from jupiter.formats import tgff

GOOD = """@TASK_GRAPH 0 {
\tAPERIODIC

\tTASK a\tTYPE 0
\tTASK b\tTYPE 1

\tARC a0_0 \tFROM t0_0 TO t0_1 \tTYPE 5

}
@computation_cost 0 {
# type version n1 n2
  t0_0    0\t1 2
  t0_1    0\t3 4
}
@quadratic 0 {
# Source Destination a b c
  n1\tn2\t0.0 1.0 2.0
}
"""


def test_good_file_is_read() -> None:
    found = tgff.parse(GOOD).value
    assert found.tasks == ("a", "b")
    assert found.arcs == {("a", "b"): 5.0}
    assert found.costs == {"a": (1.0, 2.0), "b": (3.0, 4.0)}
    assert found.links == {("n1", "n2"): (0.0, 1.0, 2.0)}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("@quadratic", "@quadratik"), [":15:1:", "'@quadratik'", "@quadratic"]),
        (("TO t0_1", "TO t0_7"), [":7:", "'t0_7'", "t0_0 to t0_1"]),
        (("\n\n}", "\n\tARC a0_1 FROM t0_0 TO t0_1 TYPE 6\n}"), [":8:", "a to b", "twice"]),
        (("\t1 2", "\t1"), [":12:3:", "1 columns", "2, one a processor"]),
        (("\t1 2", "\t1 2 3"), [":12:3:", "3 columns"]),
        (("\t1 2", "\t-1 2"), [":12:", "'-1'"]),
        (("\t1 2", "\tnan 2"), [":12:", "'nan'"]),
        (("\t1 2", "\tinf 2"), [":12:", "'inf'"]),
        (("2.0\n}\n", "2.0\n"), [":15:1:", "not closed"]),
        (("@quadratic", "@TASK_GRAPH"), [":15:1:", "two sections"]),
        (("0.0 1.0 2.0", "1.0 2.0"), [":17:3:", "2 parameters", "three"]),
        (("0.0 1.0 2.0", "0.0 nan 2.0"), [":17:", "'nan'"]),
        (("0.0 1.0 2.0", "0.0 -1.0 -2.0"), [":17:", "0.0 -1.0 -2.0", "negative"]),
    ],
    ids=lambda value: value[1].strip() if isinstance(value, tuple) else "",
)
def test_fault_is_told(change: tuple[str, str], told: list[str]) -> None:
    with pytest.raises(InputError) as error:
        tgff.parse(GOOD.replace(*change), "input.tgff")
    for words in ("input.tgff", "Try: ", *told):
        assert words in str(error.value), error.value
