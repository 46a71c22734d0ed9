"""Immutable, validated vocabulary of everything above."""
