"""Units, names, streams of chance, sets of sequence numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupiter.kit import names, rng, units
from jupiter.kit.backoff import delay_s
from jupiter.kit.seqset import SeqSet


@pytest.mark.parametrize(
    ("text", "value"),
    [("5 ms", 0.005), ("1.5s", 1.5), ("2 min", 120.0), ("1e3 us", 0.001), ("0 s", 0.0)],
)
def test_durations_are_read_as_seconds(text: str, value: float) -> None:
    assert units.read_seconds(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1 KiB", 1024), ("8 Mbit", 1_000_000), ("3 MB", 3_000_000), ("12B", 12), ("1 kbit", 125)],
)
def test_sizes_are_read_as_bytes(text: str, value: int) -> None:
    assert units.read_bytes(text) == value


def test_rates_are_read_as_bytes_per_second() -> None:
    assert units.read_bytes_per_s("50 Mbit/s") == 6_250_000
    assert units.read_bytes_per_s("2 MB/s") == 2_000_000


@pytest.mark.parametrize(
    "text", ["5", "", "ms", "5 m", "-1 s", "1e400 s", "5 ms ms", "nan s", "1" * 100 + " s"]
)
def test_what_is_no_quantity_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"5 ms|must be finite"):
        units.read_seconds(text)


@given(st.floats(min_value=1e-6, max_value=1e6))
def test_shown_seconds_are_short_and_have_a_unit(value: float) -> None:
    shown = units.show_seconds(value)
    assert len(shown) <= 12
    assert shown.rsplit(" ", 1)[1] in ("µs", "ms", "s", "min")


@pytest.mark.parametrize(
    "name", ["../x", "con.d", "-rf", "a/b", "x" * 300, "..", "", "a b", "ä", "a\u202eb", "a\0b"]
)
def test_unsafe_names_are_refused(name: str) -> None:
    assert names.name_fault(name)


@pytest.mark.parametrize("name", ["task1", "local_pro", "ubuntu-2gb-blr1-01", "a.b+c", "0"])
def test_ordinary_names_are_taken(name: str) -> None:
    assert names.name_fault(name) is None


@pytest.mark.parametrize("name", ["..", "a/b", "a\\b", "x\0", "", "ä" * 200])
def test_unsafe_file_names_are_refused(name: str) -> None:
    assert names.file_name_fault(name)


def test_nearest_name_is_found_and_a_strange_one_is_not() -> None:
    assert names.nearest("agregate0", ["aggregate0", "fusion"]) == "aggregate0"
    assert names.nearest("zzz", ["aggregate0"]) is None


def test_streams_of_chance_are_independent_and_repeat() -> None:
    assert rng.stream(1, "a").random() == rng.stream(1, "a").random()
    assert rng.stream(1, "a").random() != rng.stream(1, "b").random()
    assert rng.stream(1, "a", "b").random() != rng.stream(1, "a\0b", "").random()


def test_waits_grow_to_a_limit() -> None:
    assert [delay_s(k) for k in (1, 2, 3)] == [0.05, 0.1, 0.2]
    assert delay_s(10_000) == 5.0


@given(st.lists(st.integers(0, 40)))
def test_sequence_set_agrees_with_a_set(numbers: list[int]) -> None:
    ours, model = SeqSet(), set[int]()
    for value in numbers:
        assert ours.add(value) == (value not in model)
        model.add(value)
    assert len(ours) == len(model)
    assert all((value in ours) == (value in model) for value in range(45))
    assert ours.mark == next(k for k in range(45) if k not in model)
