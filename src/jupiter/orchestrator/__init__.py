"""The only room that names concrete classes: settings in, objects out."""
