"""Distributed network anomaly detection: what the 14 tasks share."""
