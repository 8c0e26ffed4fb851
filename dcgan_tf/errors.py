"""Errors that a user can cause and correct."""


class UserError(Exception):
    """What is wrong, where, and what to do now, in one sentence.

    The commands print it without a traceback and exit with code 2.
    """
