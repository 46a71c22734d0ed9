from __future__ import annotations

import pytest

from jupiter.errors import InputError
from jupiter.formats import link_list, nodes
from jupiter.formats.node_rules import HIDDEN
from jupiter.formats.text import Faults


@pytest.mark.parametrize(
    ("text", "variant", "first"),
    [
        (
            "scheduler 10.0.0.1 me agent\nnode1 10.0.0.2 me -\n",
            "login",
            ("10.0.0.1", "me", "agent"),
        ),
        ("Tag,Node,Region\nnode1,me@10.0.0.1,LON\n", "bare", ("10.0.0.1", "me", "")),
        ("Tag,Node,Region\nnode1,me@10.0.0.1,LON,pw1\n", "bare", ("10.0.0.1", "me", HIDDEN)),
        ("Tag,Node,Region\nnode1,10.1.2.3,xxx\n", "service", ("10.1.2.3", "", "")),
        ("node1 ubuntu-01 root pw1\n", "cluster", ("ubuntu-01", "root", HIDDEN)),
        ("home host-a\nnode2 host-b\n", "hosts", ("host-a", "", "")),
    ],
)
def test_variant_is_found_and_passwords_are_dropped(
    text: str, variant: str, first: tuple[str, str, str]
) -> None:
    found = nodes.parse(text).value
    assert found.variant == variant
    assert (found.nodes[0].host, found.nodes[0].user, found.nodes[0].secret) == first
    assert "pw1" not in repr(found)
    assert "pw1" not in nodes.dumps(found)


def test_roles_follow_from_names() -> None:
    found = nodes.parse("home a\nhome2 b\ndatasource1 c\nnode1 d\n").value
    network = nodes.to_network(found, "n")
    assert [node.role for node in network.nodes] == ["home", "home", "source", "worker"]
    assert network.links == ()


@pytest.mark.parametrize(
    "host", ["h0", "h0:22", "10.0.0.1:22", "[fe80::1]", "[::1]:22", "a.b-c.d."]
)
def test_good_addresses_pass(host: str) -> None:
    faults = Faults()
    nodes.check(nodes.parse(f"home {host}\n").value, faults)
    assert faults.errors == ()


@pytest.mark.parametrize(
    "host",
    [
        "1.2.3",
        "1.2.3.256",
        "-a",
        "a..b",
        "[::1",
        "[1.2.3.4]",
        "h:",
        "h:x",
        "h:1:2",
        "h\u00fc",
        "[::1]22",
    ],
)
def test_bad_addresses_do_not(host: str) -> None:
    faults = Faults()
    nodes.check(nodes.parse(f"home {host}\n").value, faults)
    assert faults.has_errors


def test_password_of_a_malformed_line_is_not_shown() -> None:
    with pytest.raises(InputError) as refused:
        nodes.parse("home h me my secret words\n")
    assert "secret words" not in str(refused.value)


def test_header_of_the_variant_with_commas_is_required() -> None:
    with pytest.raises(InputError, match="not the header"):
        nodes.parse("node1,10.0.0.1,LON\n")


def test_links_may_be_separated_by_commas_or_blanks() -> None:
    for text in ("Source,Destination\nnode1,node2\n", "Source Destination\nnode1 node2\n"):
        assert link_list.parse(text).value == (("node1", "node2"),)


@pytest.mark.parametrize("row", ["a,a", "a", "a,b,c", "a,b\na,b", "../a,b"])
def test_bad_links_are_refused(row: str) -> None:
    with pytest.raises(InputError):
        link_list.parse(f"Source,Destination\n{row}\n")
