"""The speedrun of a stage in ``grading.yml``: a leaderboard of models that students design and train."""

from collections.abc import Collection
from itertools import pairwise
from typing import Annotated, Any

import msgspec

from autograder.course.yaml_source import Keys, YamlSource, nearest

# The schema of an integer that may be written as 800_000; see ``accept_underscores``.
_GROUPED = {"pattern": "^[0-9][0-9_]*$"}
ParameterCount = Annotated[int, msgspec.Meta(ge=0, le=12_000_000, extra_json_schema=_GROUPED)]
TokenCount = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000, extra_json_schema=_GROUPED)]
CodeSize = Annotated[int, msgspec.Meta(ge=1, le=1_000_000, extra_json_schema=_GROUPED)]
ContextLength = Annotated[int, msgspec.Meta(ge=8, le=2048)]
EventName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]+$")]


class Speedrun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The leaderboard of a stage: the module that students change, the limits on its model, and the events."""

    module: str
    most_parameters: ParameterCount  # without free embeddings
    free_embeddings: ParameterCount  # parameters of embeddings that do not count
    most_code_bytes: CodeSize  # of the student's modules together, compressed
    context_length: tuple[ContextLength, ContextLength]  # shortest and longest
    events: Annotated[dict[EventName, TokenCount], msgspec.Meta(min_length=1)]  # name → most training tokens, ascending

    @property
    def source_file(self) -> str:
        """The module's file, which builds the model."""
        return f"{self.module}.py"

    @property
    def weights_file(self) -> str:
        """The file of trained weights."""
        return f"{self.module}.safetensors"

    @property
    def record_file(self) -> str:
        """The record that the trainer writes beside the weights."""
        return f"{self.module}.json"


def check_speedrun(speedrun: Speedrun, entries: Collection[str], keys: Keys, source: YamlSource) -> None:
    """Check a stage's speedrun against the files of its ``entries``, and the order of its bounds and events.

    Raises:
        ConfigError: a file is not an entry, or bounds or events are not in ascending order.
    """
    for file in (speedrun.source_file, speedrun.weights_file, speedrun.record_file):
        if file not in entries:
            problem = f"`{file}` is not among the stage's entries{nearest(file, entries)}"
            raise source.error((*keys, "module"), problem)
    shortest, longest = speedrun.context_length
    if shortest > longest:
        problem = f"write the shortest length first; {shortest} is larger than {longest}"
        raise source.error((*keys, "context_length"), problem)
    for (name, fewer), (later, more) in pairwise(speedrun.events.items()):
        if fewer >= more:
            problem = f"list the events from the fewest tokens to the most; `{name}` has {fewer:,}"
            raise source.error((*keys, "events", later), problem)


def accept_underscores(schema: Any) -> None:
    """Change a JSON Schema in place so that editors accept integers such as 800_000.

    Editors read YAML 1.2, in which 800_000 is a string; this program reads YAML 1.1, in which it is an integer.
    """
    if isinstance(schema, dict):
        if schema.get("type") == "integer" and "pattern" in schema:
            schema["type"] = ["integer", "string"]
        for part in schema.values():
            accept_underscores(part)
