"""Asynchronous helpers; the only reader of clocks."""
