"""Makes ``python -m jupiter`` the command line."""

from jupiter.cli.main import main

main()
