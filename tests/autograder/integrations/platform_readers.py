"""What learning platforms make of a file, by their own documented rules, written without the code that is tested.

Sources: Canvas LMS, ``lib/gradebook_importer.rb``; Moodle, ``mod/assign/feedback/offline/importgradeslib.php`` and
``grade/import/csv/classes/load_data.php``; Gradescope's autograder specification; Classroom 50, ``schemas/``.
"""

import csv
import io
import json
import re
from collections import Counter
from typing import Any

import jsonschema

_NOT_ASSIGNMENTS = re.compile(r"(Current|Final|Override|Unposted).*(Score|Points|Grade|Status)")


def read_canvas(content: bytes, people: dict[int, dict[str, str]], assignments: dict[int, str]) -> dict[int, Any]:
    """Canvas's importer: user id → assignment → new score. No heading may create an assignment."""
    lines = content.decode().lstrip("\ufeff").splitlines()
    sizes = {sign: {len(next(csv.reader([line], delimiter=sign))) for line in lines[:3]} for sign in ";,"}
    widths = {sign: size.pop() if len(size) == 1 else 0 for sign, size in sizes.items()}
    rows = list(csv.reader(lines, delimiter=";" if widths[";"] > widths[","] else ","))
    header = rows[0]
    assert len(header) > 3
    assert "Student" in header[0]
    assert "ID" in header[1]
    first = 3 + ("SIS User ID" in header[2]) + ("SIS Login ID" in header) + ("Integration ID" in header)
    assert "Section" in header[first - 1], "the last column about the student"
    columns: dict[int, int] = {}
    for index, heading in list(enumerate(header))[first:]:
        if _NOT_ASSIGNMENTS.search(heading):
            continue
        named = re.search(r"\((\d+)\)$", heading)
        assert named, f"{heading} would create an assignment"
        assert int(named[1]) in assignments, f"{heading} would create an assignment"
        columns[int(named[1])] = index
    scores: dict[int, dict[int, str]] = {}
    for row in rows[1:]:
        if "Points Possible" in row[0] or all(re.fullmatch(r"\s*(Muted|Manual Posting.*)?\s*", cell) for cell in row):
            continue
        user = int(row[1]) if row[1].strip() else None
        if user not in people:
            login = row[header.index("SIS Login ID")]
            user = next(number for number, person in people.items() if person["login"] == login)
        scores[user] = {number: row[index].strip() for number, index in columns.items()}
    return scores


def read_moodle_worksheet(content: bytes, participants: dict[int, str], maximum: float) -> dict[str, float]:
    """Moodle's importer of a grading worksheet: username → grade."""
    reader = csv.DictReader(io.StringIO(content.decode().removeprefix("\ufeff")))
    assert {"Identifier", "Grade", "Last modified (grade)"} <= set(reader.fieldnames or ())
    grades = {}
    for row in reader:
        number = int(row["Identifier"][len("Participant ") :])
        if number in participants and row["Grade"] not in ("", "-"):
            grade = float(row["Grade"])
            assert 0 <= grade <= maximum, "Moodle refuses a grade above the maximum"
            grades[participants[number]] = grade
    return grades


def read_moodle_import(content: bytes, usernames: set[str], mapping: str) -> dict[str, float]:
    """Moodle's import of grades: username → the column that is mapped to the grade item; an unknown user stops it."""
    grades = {}
    for row in csv.DictReader(io.StringIO(content.decode())):
        assert row["username"] in usernames, "Moodle imports nothing if one user is unknown"
        if row[mapping] not in ("", "-"):
            grades[row["username"]] = float(row[mapping])
    return grades


_GRADESCOPE_VISIBILITY = {"enum": ["hidden", "after_due_date", "after_published", "visible"]}
_GRADESCOPE_FORMAT = {"enum": ["text", "html", "simple_format", "md", "ansi"]}
GRADESCOPE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["score", "tests"],
    "properties": {
        "score": {"type": "number"},
        "execution_time": {"type": "integer"},
        "output": {"type": "string"},
        "output_format": _GRADESCOPE_FORMAT,
        "test_output_format": _GRADESCOPE_FORMAT,
        "test_name_format": _GRADESCOPE_FORMAT,
        "visibility": _GRADESCOPE_VISIBILITY,
        "stdout_visibility": _GRADESCOPE_VISIBILITY,
        "extra_data": {"type": "object"},
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "score": {"type": "number"},
                    "max_score": {"type": "number", "minimum": 0},
                    "status": {"enum": ["passed", "failed"]},
                    "name": {"type": "string"},
                    "name_format": _GRADESCOPE_FORMAT,
                    "number": {"type": "string"},
                    "output": {"type": "string"},
                    "output_format": _GRADESCOPE_FORMAT,
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "visibility": _GRADESCOPE_VISIBILITY,
                    "extra_data": {"type": "object"},
                },
            },
        },
        "leaderboard": {"type": "array"},
    },
}


def read_gradescope(content: bytes) -> tuple[float, dict[str, Any]]:
    """Gradescope: the score, and the document; nothing of a student's standard output is shown."""
    document = json.loads(content)
    jsonschema.validate(document, GRADESCOPE)
    assert document["stdout_visibility"] == "hidden"
    return document["score"], document


_MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$"}
_TEXT = {"type": "string", "minLength": 1}
_INTEGER = {"type": "integer", "minimum": 0}
_TEST = {
    "type": "object",
    "required": ["test-name", "passed", "score", "max-score"],
    "properties": {"test-name": _TEXT, "passed": {"type": "boolean"}, "score": _INTEGER, "max-score": _INTEGER},
}
_RECORD = {
    "schema": {"const": "classroom50/result/v1"},
    "classroom": _TEXT,
    "assignment_type": {"enum": ["individual", "group"]},
    "owner": _TEXT,
    "submission": {"type": "string", "pattern": "^submit/"},
    **dict.fromkeys(("commit", "release", "review"), _TEXT),
    "datetime": _MOMENT,
    "score": _INTEGER,
    "max-score": _INTEGER,
    "tests": {"type": "array", "items": _TEST},
}
_MORE = {"graded_at": _MOMENT, "submitted_by": {"type": "object"}}
RESULT = {
    "type": "object",
    "additionalProperties": False,
    "required": [*_RECORD, "assignment"],
    "properties": {**_RECORD, **_MORE, "assignment": _TEXT},
}
SCORES = {
    "type": "object",
    "additionalProperties": False,
    "required": ["schema", "assignments"],
    "properties": {
        "schema": {"const": "classroom50/scores/v1"},
        "assignments": {
            "propertyNames": {"pattern": "^[a-z0-9][a-z0-9-]{1,99}$"},
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["type", "entries"],
                "properties": {
                    "type": {"enum": ["individual", "group"]},
                    "collected_at": _MOMENT,
                    "entries": {
                        "type": "array",
                        "items": {
                            "required": ["owner", "submissions"],
                            "properties": {
                                "owner": _TEXT,
                                "override": {"type": "boolean"},
                                "submissions": {
                                    "minItems": 1,
                                    "items": {
                                        "required": list(_RECORD),
                                        "properties": {**_RECORD, **_MORE, "late": {"type": "boolean"}},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


def read_classroom50_result(content: bytes, owner: str, assignment: str) -> tuple[int, int]:
    """Classroom 50's validator of a result: score and maximum."""
    document = json.loads(content)
    jsonschema.validate(document, RESULT)
    assert (document["owner"], document["assignment"]) == (owner, assignment)
    _check_points(document)
    return document["score"], document["max-score"]


def read_classroom50_scores(content: bytes, assignment: str) -> dict[str, tuple[int, bool]]:
    """Classroom 50's gradebook: owner → score of the latest submission, and whether the next collection keeps it."""
    document = json.loads(content)
    jsonschema.validate(document, SCORES)
    bucket = document["assignments"][assignment]
    owners = Counter(entry["owner"].lower() for entry in bucket["entries"])
    assert set(owners.values()) <= {1}
    for entry in bucket["entries"]:
        _check_points(entry["submissions"][0])
    return {e["owner"]: (e["submissions"][0]["score"], e.get("override", False)) for e in bucket["entries"]}


def _check_points(record: dict[str, Any]) -> None:
    """The rules that a schema cannot express."""
    for part in (record, *record["tests"]):
        assert type(part["score"]) is type(part["max-score"]) is int
        assert part["score"] <= part["max-score"]
