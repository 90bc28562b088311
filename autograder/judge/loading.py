"""The first load of a submission: what its text says, and whether it loads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from autograder.isolation.errors import SubmissionError, WorkerDied
from autograder.isolation.outline import Outline
from autograder.isolation.proxy import Session
from autograder.isolation.worker import Worker
from autograder.judge.course_code import CourseCode
from autograder.judge.sessions import close
from autograder.judge.source_map import SourceMap, contract_of, read_outline


@dataclass(frozen=True)
class FirstLoad:
    """What is known of a submission after it was loaded once.

    Attributes:
        modules: the source texts that were loaded, by module name.
        source: what its text says, read before any of its code runs.
        error: the error that it raised or that ended its worker, if any.
        self_contained: whether its text keeps state in its own objects only.
        code: module name → its code; empty in this process, which compiles each text once.
    """

    modules: Mapping[str, str]
    source: SourceMap
    error: SubmissionError | WorkerDied | None = None
    self_contained: bool = False
    code: Mapping[str, bytes] = field(default_factory=dict)


def load_with_helpers(
    open_session: Callable[[], Session],
    modules: Mapping[str, str],
    own: Mapping[str, str],
    main: str,
    code: CourseCode,
) -> FirstLoad:
    """Load the submission once, with its own helpers of earlier modules where it needs them and they load."""
    if own and (with_own := _with_helpers(open_session, modules, own, code)) != modules:
        first = load_once(open_session, with_own, main, code)
        if first.error is None:
            return first
    return load_once(open_session, modules, main, code)


def _with_helpers(
    open_session: Callable[[], Session], modules: Mapping[str, str], own: Mapping[str, str], code: CourseCode
) -> Mapping[str, str]:
    """The modules to load. The process that chooses them runs nothing of them."""
    session = None
    try:
        session = open_session()
        exercises = {name: code.exercises[name] for name in own}
        chosen: dict[str, str] = session.request(
            "with_helpers", modules=dict(modules), own=dict(own), exercises=exercises
        )
    except (SubmissionError, WorkerDied):
        return modules
    finally:
        if session is not None:
            close(session)
    return chosen


def load_once(
    open_session: Callable[[], Session], modules: Mapping[str, str], main: str, code: CourseCode
) -> FirstLoad:
    """Load the submission once."""
    contract, parameters = contract_of(code.modules[main])
    source, session = SourceMap(f"{main}.py", modules[main], Outline(), contract, parameters), None
    try:
        session = open_session()
        outline = read_outline(session.request("outline", source=modules[main]))
        source = replace(source, outline=outline)
        is_worker, texts = isinstance(session, Worker), {"modules": dict(modules)}
        self_contained = is_worker and session.request("are_self_contained", **texts)
        compiled = session.request("compile", **texts) if is_worker else {}
        session.request("load", modules=dict(modules), main=main)
    except (SubmissionError, WorkerDied) as error:
        return FirstLoad(modules, source, error)
    finally:
        if session is not None:
            close(session)
    return FirstLoad(modules, source, None, self_contained is True, compiled)
