from __future__ import annotations

import random

import pytest

from jupiter.costs.fit import as_seed_parameters, fit_transfer, from_seed_parameters
from jupiter.model.transfer import TransferModel

SIZES = (1_000, 16_000, 64_000, 256_000)


def test_a_line_is_found_again() -> None:
    model, residual = fit_transfer((size, 0.02 + size * 1e-6) for size in SIZES)
    assert model.latency_s == pytest.approx(0.02)
    assert model.seconds_per_byte == pytest.approx(1e-6)
    assert residual == pytest.approx(0, abs=1e-9)


def test_equal_times_are_all_latency() -> None:
    model, residual = fit_transfer((size, 0.5) for size in SIZES)
    assert model.latency_s == pytest.approx(0.5)
    assert model.seconds_per_byte == pytest.approx(0, abs=1e-15)
    assert residual == pytest.approx(0, abs=1e-9)


def test_falling_times_give_no_negative_slope() -> None:
    model, _ = fit_transfer([(1_000, 2.0), (100_000, 1.0)])
    assert model.seconds_per_byte == 0
    assert 1.0 < model.latency_s < 2.0


def test_a_line_through_below_zero_gives_no_negative_latency() -> None:
    model, _ = fit_transfer([(1_000, 0.001), (2_000, 0.004), (4_000, 0.01)])
    assert model.latency_s == 0
    assert model.seconds_per_byte > 0


def test_one_slow_outlier_among_three_changes_nothing() -> None:
    samples = [(size, 0.02 + size * 1e-6) for size in SIZES for _ in range(3)]
    clean, _ = fit_transfer(samples)
    samples[4] = (samples[4][0], 30.0)
    assert fit_transfer(samples)[0] == clean


def test_errors_count_relative_to_the_time() -> None:
    """With plain least squares the 10 s transfer alone would decide about the small ones."""
    model, _ = fit_transfer([(1_000, 0.01), (2_000, 0.011), (10_000_000, 10.0)])
    assert model.transfer_s(1_000) == pytest.approx(0.01, rel=0.1)
    assert model.transfer_s(10_000_000) == pytest.approx(10.0, rel=0.1)


@pytest.mark.parametrize("size", [0, 1_000, 1_000_000])
def test_a_single_size_is_met_exactly(size: int) -> None:
    model, residual = fit_transfer([(size, 0.3)])
    assert model.transfer_s(size) == pytest.approx(0.3)
    assert residual == 0


def test_a_single_short_probe_tells_of_latency_and_a_long_one_of_bandwidth() -> None:
    short, _ = fit_transfer([(1_000, 0.04)])
    long, _ = fit_transfer([(1_000_000, 1.0)])
    assert short.latency_s > 0.9 * 0.04
    assert long.seconds_per_byte > 0.9 * 1e-6


def test_times_below_the_clock_make_a_free_link() -> None:
    assert fit_transfer([(1_000, 0.0), (2_000, 0.0)])[0] == TransferModel(0.0, 0.0)


@pytest.mark.parametrize(
    "samples",
    [[], [(-1, 1.0)], [(1, float("nan"))], [(1, float("inf"))]],
    ids=["none", "negative size", "nan", "infinite"],
)
def test_what_is_no_measurement_is_refused(samples: list[tuple[int, float]]) -> None:
    with pytest.raises(ValueError, match="transfer"):
        fit_transfer(samples)


def test_no_line_on_a_grid_fits_better() -> None:
    draw = random.Random(7)
    for _ in range(50):
        samples = [(size, draw.uniform(0.001, 1.0)) for size in SIZES]
        model, _ = fit_transfer(samples)
        best = _relative_error(model, samples)
        for latency in range(21):
            for rate in range(21):
                other = TransferModel(latency / 20, rate / 20 / 100_000)
                assert best <= _relative_error(other, samples) + 1e-12


def _relative_error(model: TransferModel, samples: list[tuple[int, float]]) -> float:
    return sum(((model.transfer_s(size) - s) / s) ** 2 for size, s in samples)


def test_seed_parameters_are_milliseconds_over_kbit() -> None:
    text = as_seed_parameters(TransferModel(0.02, 1e-6))
    a, b, c = map(float, text.split())
    assert (a, c) == (0, 20)
    assert b * 8 == pytest.approx(1.024)  # 1 KiB is 8 Kbit and takes 1.024 ms


def test_seed_parameters_come_back() -> None:
    model = TransferModel(0.0213, 3.7e-7)
    back = from_seed_parameters(as_seed_parameters(model))
    assert back.latency_s == pytest.approx(model.latency_s, rel=1e-12)
    assert back.seconds_per_byte == pytest.approx(model.seconds_per_byte, rel=1e-12)


def test_a_shipped_falling_quadratic_never_becomes_negative_or_fast() -> None:
    text = "-9.01939089618e-06 0.773695488063 3301.96285581"
    model = from_seed_parameters(text)
    assert model.transfer_s(0) > 3.0
    assert model.transfer_s(25_000_000) > 15.0  # the quadratic says -207 s


def test_a_rising_quadratic_is_met_at_the_probed_sizes_within_its_residual() -> None:
    model = from_seed_parameters("1e-6 0.1 50")
    assert model.transfer_s(1024) == pytest.approx(0.0508, rel=0.1)
    assert model.transfer_s(10 * 1024 * 1000) > 8.0


@pytest.mark.parametrize("text", ["", "1 2", "1 2 3 4", "a b c", "nan 0 0", "-1 -1 -1"], ids=str)
def test_what_describes_no_link_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"param|could not convert"):
        from_seed_parameters(text)
