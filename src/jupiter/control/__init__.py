"""State machines of the running system: events in, actions out; pure."""
