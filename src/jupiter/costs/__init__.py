"""From measurements to seconds; pure."""
