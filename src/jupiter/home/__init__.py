"""The coordinating side of a run: a thin shell around control."""
