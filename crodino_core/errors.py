"""Errors whose message is meant for the user."""


class CrodinoError(Exception):
    """The work failed; the message says what was found, what was expected and what to do."""

    exit_code = 1


class UsageError(CrodinoError):
    """The request itself was wrong (an unknown key, a reversed time, a missing argument)."""

    exit_code = 2
