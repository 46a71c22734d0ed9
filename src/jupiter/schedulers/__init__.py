"""Algorithms from `Problem` to `Schedule`; pure, deterministic, one a file."""
