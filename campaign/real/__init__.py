"""Faults on real processes: agents in network namespaces of their own, judged by the same oracle."""
