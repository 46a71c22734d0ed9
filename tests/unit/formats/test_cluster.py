from __future__ import annotations

import math

import pytest

from jupiter.errors import InputError
from jupiter.formats import cluster
from jupiter.formats.text import Faults
from jupiter.formats.toml_source import read_toml

DEMO = """name = "demo"
[defaults]
bandwidth = "50 Mbit/s"
latency = "5 ms"
[[node]]
name = "home"
role = "home"
[[node]]
name = "edge1"
cores = 1
speed = 0.2
[[node]]
name = "edge2"
memory = "2 GiB"
secret = "secret:edge2"
host = "[::1]:22"
[[link]]
source = "home"
target = "edge1"
bandwidth = "20 Mbit/s"
both = true
"""


def test_links_are_given_or_default() -> None:
    network = cluster.parse(DEMO).value
    assert len(network.links) == 6
    links = {(str(a), str(b)): link for (a, b), link in network.by_pair.items()}
    assert links["edge1", "home"].bandwidth_bytes_per_s == 20e6 / 8
    assert links["edge1", "home"].latency_s == 0.005
    assert links["edge1", "edge2"].bandwidth_bytes_per_s == 50e6 / 8
    assert network.homes[0].name == "home"


def test_transport_has_options_of_its_own_and_is_written_back() -> None:
    text = DEMO + '[transport]\nname = "scp"\nbodies = 2\nuser = "me"\nport = "2222"\n'
    network = cluster.parse(text).value
    transport = network.transport
    assert (transport.name, transport.bodies_max) == ("scp", 2)
    assert transport.options == {"user": "me", "port": "2222"}
    assert cluster.parse(cluster.dumps(network)).value == network


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('name = "tools/move.py"', "the path of a transport is not absolute"),
        ("bodies = 0", "key 'bodies' has a value that it cannot have (got 0"),
        ('bodies = "4"', "key 'bodies' has a value that it cannot have"),
        ("port = 22", "key 'port' has a value that it cannot have (got 22; expected text"),
    ],
)
def test_transport_that_cannot_be(line: str, says: str) -> None:
    with pytest.raises(InputError) as told:
        cluster.parse(f"{DEMO}[transport]\n{line}\n")
    assert says in str(told.value)


def test_without_defaults_only_written_links_are_there() -> None:
    text = '[[node]]\nname = "a"\n[[node]]\nname = "b"\n[[link]]\nsource = "a"\ntarget = "b"\n'
    parsed = cluster.parse(text)
    assert [link.bandwidth_bytes_per_s for link in parsed.value.links] == [math.inf]
    assert "no node is the home" in str(parsed.notes[0])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('bandwidth = "50 Mbit/s"', "bandwidth = 50", "3:1: key 'bandwidth' has no unit (got 50"),
        ('bandwidth = "50 Mbit/s"', 'bandwidth = "0 bit/s"', "3:1: a bandwidth of zero"),
        ('latency = "5 ms"', 'latency = "5 parsec"', "4:1: key 'latency' unknown unit 'parsec'"),
        ('role = "home"', 'rôle = "home"', "the text is no TOML"),
        ('role = "home"', 'roll = "home"', "7:1: key 'roll' is unknown"),
        ('role = "home"', 'role = "boss"', "expected 'worker', 'home' or 'source'"),
        ("cores = 1", "cores = 0", "10:1: key 'cores'"),
        ("speed = 0.2", "speed = nan", "11:1: key 'speed'"),
        ("speed = 0.2", 'speed = "fast"', "expected a number"),
        ('secret = "secret:edge2"', 'secret = "hunter2"', "15:1: clear-text password"),
        ('host = "[::1]:22"', 'host = "::1"', "16:1: the address is IPv6 without brackets"),
        ('target = "edge1"', 'target = "egde1"', "19:1: the target of a link is no node"),
        ('target = "edge1"', 'target = "home"', "a link joins 'home' to itself"),
        ('name = "edge2"', 'name = "EDGE1"', "13:1: nodes 'edge1' and 'EDGE1' differ only"),
    ],
)
def test_fault_has_a_place(old: str, new: str, says: str) -> None:
    with pytest.raises(InputError) as refused:
        cluster.parse(DEMO.replace(old, new, 1), "f")
    assert says in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_link_written_twice_is_refused() -> None:
    again = '[[link]]\nsource = "edge1"\ntarget = "home"\n'
    with pytest.raises(InputError, match="the link edge1 -> home is written twice"):
        cluster.parse(DEMO + again)


def test_malformed_node_is_not_missing_for_its_links() -> None:
    with pytest.raises(InputError) as refused:
        cluster.parse(DEMO.replace("cores = 1", "cores = 0"))
    assert len(refused.value.faults) == 1


@pytest.mark.parametrize("text", ["", 'name = "x"\n', "node = 3\n", "[" * 5_000, "a." * 99 + "a=1"])
def test_file_without_nodes_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        cluster.parse(text)


def test_every_toml_value_has_its_place() -> None:
    text = '''# comment
a.b = [1, "x", [true], { c = 2 }]
"q.r" = """
multi # no comment
""" # comment
s = \'\'\'it''s\'\'\'
[t.u]
d = 1979-05-27 07:32:00
[[v]]
e = 'x'
[[v]]
[v.w]
f = { g.h = 1, i = [
  2,
] }
'''
    found = read_toml(text, Faults())
    assert found is not None
    places = found[1]
    expected = {
        ("a", "b"): (2, 3),
        ("a", "b", 1): (2, 11),
        ("a", "b", 2, 0): (2, 17),
        ("a", "b", 3, "c"): (2, 26),
        ("q.r",): (3, 1),
        ("s",): (6, 1),
        ("t", "u", "d"): (8, 1),
        ("v", 0, "e"): (10, 1),
        ("v", 1): (11, 1),
        ("v", 1, "w", "f", "g", "h"): (13, 9),
        ("v", 1, "w", "f", "i", 0): (14, 3),
    }
    assert {path: (places.at(*path).line, places.at(*path).column) for path in expected} == expected
