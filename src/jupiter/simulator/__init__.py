"""The control code in virtual time; pure."""
