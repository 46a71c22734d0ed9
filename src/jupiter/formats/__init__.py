"""Text and bytes to model and back; one file a format; never opens a file."""
