"""What can be wrong with a result: the closed list of words that a student reads."""

from enum import StrEnum


class Symptom(StrEnum):
    """What can be wrong with a result, in the words a student reads."""

    WRONG_TYPE = "the result is not of the kind the exercise asks for"
    WRONG_AXES = "the result has the wrong number of axes"
    WRONG_SIZE = "one of the result's axes has the wrong size"
    WRONG_DTYPE = "the result's dtype is not the one of the input"
    WRONG_DEVICE = "the result is not on the input's device"
    NOT_FINITE = "the result holds NaN or infinity"
    WRONG_VALUES = "the result has the right shape but wrong values"
    INPUT_CHANGED = "an input was changed in place"
    NO_ERROR = "no error was raised where one is asked for"
    BAD_FILE = "a file of the hand-in cannot be used"
    WRONG_ERROR = "an error of the wrong kind was raised"


class CheckFailure(AssertionError):
    """A check that did not hold; ``what`` is fit for a student's eyes."""

    def __init__(self, symptom: Symptom, says: str | None = None) -> None:
        self.symptom = symptom
        self.what = says or symptom.value
        super().__init__(self.what)
