"""Domain-free helpers; pure."""
