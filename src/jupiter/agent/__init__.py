"""The process on every node: a thin shell around control."""
