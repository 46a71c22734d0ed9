"""Ways to bring files from host to host, other than the stream between agents."""
