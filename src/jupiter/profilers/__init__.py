"""The measuring half of profiles; the arithmetic is in costs."""
