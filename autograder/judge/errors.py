"""Errors of the judge that its callers explain, importable without torch and pytest."""


class HiddenTestsError(Exception):
    """The hidden tests themselves cannot run; the fault is the course's."""
