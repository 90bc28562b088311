"""What a student reads about an error that their code raised: its class, and the name that it lacks."""

import re

from autograder.isolation.errors import SubmissionError
from autograder.judge.source_map import SourceLocation, SourceMap

_NO_ATTRIBUTE = re.compile(r"(?:module|type object)? ?'(?P<owner>\w+)'(?: object)? has no attribute '(?P<name>\w+)'")
_NO_NAME = re.compile(r"name '(?P<name>\w+)' is not defined")
_NO_LOCAL = re.compile(r"cannot access local variable '(?P<name>\w+)'")
_IN_A_LINE = (
    ("AttributeError", _NO_ATTRIBUTE, "there is no attribute `{name}`"),
    ("NameError", _NO_LOCAL, "`{name}` has no value yet"),
    ("NameError", _NO_NAME, "`{name}` is not defined"),
)


def missing_name(error: SubmissionError, source: SourceMap) -> tuple[str, SourceLocation | None] | None:
    """Describe a name that a check uses and the submission does not define; None for any other error.

    The error's text is untrusted: its name counts only if the contract lists it and the file does not define it.

    Returns:
        The sentence, and the location of the definition whose name is most like it.
    """
    match = _NO_ATTRIBUTE.fullmatch(error.message)
    if not isinstance(error, AttributeError) or source.of_error(error) or not match:
        return None
    owner, name = match["owner"], match["name"]
    in_module = f"{owner}.py" == source.file
    if name not in source.contract or not (in_module or owner in source.functions):
        return None
    near = source.nearest(name, "" if in_module else owner)
    what = f"there is no `{name}` in {source.file if in_module else f'`{owner}`'}"
    if near is not None:
        what += f": did you mean `{near.function}`, line {near.line}?"
    return what, near


def wrong_parameters(
    error: SubmissionError, source: SourceMap, exercise: str
) -> tuple[str, SourceLocation | None] | None:
    """Describe a function whose parameters are not those of the contract; None for any other error.

    Returns:
        The sentence, and the location of the function.
    """
    if not isinstance(error, TypeError) or source.of_error(error):
        return None
    for name, wanted in source.contract_parameters.items():
        own = source.outline.parameters.get(name)
        if name.partition(".")[0] != exercise or own is None or own.any_others:
            continue
        if missing := [parameter for parameter in wanted.names if parameter not in own.names]:
            return f"`{name}` has no parameter `{missing[0]}`", source.of_exercise(name)
        if extra := [parameter for parameter in own.required if parameter not in wanted.names]:
            return f"`{name}` requires `{extra[0]}`, which is not among its parameters", source.of_exercise(name)
    return None


def error_sentence(error: SubmissionError, source: SourceMap) -> str:
    """Say which error was raised, and which name was missing if the line that raised it contains that name."""
    location = source.of_error(error)
    words = source.words_at(location.line) if location else frozenset[str]()
    sentence = f"your code raised {error_word(error)}"
    for type_name, pattern, says in _IN_A_LINE:
        match = pattern.search(error.message)
        if error.type_name == type_name and match and match["name"] in words:
            return f"{sentence}: {says.format(name=match['name'])}"
    return sentence


def error_word(error: SubmissionError) -> str:
    """Name the error's class if it is a builtin error; the name of a student's own class could carry any text."""
    return error.type_name if type(error) is not SubmissionError else "an exception"
