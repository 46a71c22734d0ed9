"""Jupiter places streaming task graphs where measured nodes and links make them fastest."""

__version__ = "0.1.0.dev0"
