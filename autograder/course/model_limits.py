"""The limits of a stage's trained model in ``grading.yml``: the same numbers bind the trainer and the grader."""

from typing import Annotated, Any

import msgspec

from autograder.course.speedrun import ParameterCount
from autograder.course.yaml_source import Keys, YamlSource

Size = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Bounds = tuple[Size, Size]  # smallest and largest


class ModelLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The models that students may hand in: the number of parameters, and bounds on the sizes in ``GPTConfig``."""

    most_parameters: ParameterCount
    vocab_size: Bounds
    context_length: Bounds
    d_model: Bounds
    num_heads: Bounds
    num_blocks: Bounds
    d_hidden: Bounds

    @property
    def sizes(self) -> dict[str, Bounds]:
        """The bounds of each size, by name."""
        fields: dict[str, Any] = msgspec.structs.asdict(self)
        return {name: bounds for name, bounds in fields.items() if name != "most_parameters"}


def check_model_limits(limits: ModelLimits, keys: Keys, source: YamlSource) -> None:
    """Check the order of the bounds.

    Raises:
        ConfigError: a smallest size is larger than the largest.
    """
    for name, (smallest, largest) in limits.sizes.items():
        if smallest > largest:
            raise source.error((*keys, name), f"write the smallest size first; {smallest} is larger than {largest}")
