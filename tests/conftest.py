"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# Other work on the machine must not make a test fail.
settings.register_profile("jupiter", deadline=None)
settings.load_profile("jupiter")
