"""Where agents run; each engine implements `interfaces.engine`."""
