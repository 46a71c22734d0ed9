"""A finished run as pages and figures; text out, no I/O."""
