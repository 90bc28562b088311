"""Errors of the judge that its callers explain. Importing them needs neither torch nor pytest."""


class HiddenTestsError(Exception):
    """The hidden tests themselves cannot run; the fault is the course's."""
