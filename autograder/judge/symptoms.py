"""The closed list of symptoms that a student can read about a result."""

from enum import StrEnum


class Symptom(StrEnum):
    """A fault of a result, in the words that a student reads."""

    WRONG_TYPE = "the result has the wrong type"
    WRONG_AXES = "the result has the wrong number of axes"
    WRONG_SIZE = "one of the result's axes has the wrong size"
    WRONG_DTYPE = "the result's dtype differs from the input's dtype"
    WRONG_DEVICE = "the result is not on the input's device"
    NOT_FINITE = "the result contains NaN or infinity"
    WRONG_VALUES = "the result has the right shape but wrong values"
    INPUT_CHANGED = "an input was changed in place"
    NO_ERROR = "no error was raised, but one is required"
    BAD_FILE = "a submitted file cannot be used"
    WRONG_ERROR = "an error of the wrong type was raised"


class CheckFailure(AssertionError):
    """A check that failed.

    Attributes:
        symptom: the kind of fault.
        what: the sentence for the student; the symptom's own unless the author wrote one.
    """

    def __init__(self, symptom: Symptom, says: str | None = None) -> None:
        self.symptom = symptom
        self.what = says or symptom.value
        super().__init__(self.what)
