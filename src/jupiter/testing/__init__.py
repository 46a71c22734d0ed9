"""Shipped checks: the oracle that judges a stream, simulated or real."""
