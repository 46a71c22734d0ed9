"""Faults on real processes: agents in networks of their own, judged by the same oracle."""
