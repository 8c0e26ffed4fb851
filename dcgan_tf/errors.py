"""Errors that a user can cause and correct."""


class UserError(Exception):
    """An error that the user can correct. Its message is one sentence: what is wrong, where, and what to do now.

    The commands print the message without a traceback and exit with code 2.
    """
