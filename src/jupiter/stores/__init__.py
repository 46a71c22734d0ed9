"""Where measurements and facts are kept."""
