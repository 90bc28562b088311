"""A run on disk: everything that its next step depends on, in one file of numbers."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as tensors_as_bytes
from torch import Tensor, nn

from trainer.recipe import Recipe

FORMAT_VERSION = 1


class CheckpointError(Exception):
    """A checkpoint cannot be used; the message names the file and the problem."""


@dataclass
class RunProgress:
    """Progress of a run.

    Attributes:
        step: number of completed steps.
        curve: one entry per evaluation: tokens, training loss since the last evaluation, validation loss.
        losses: training losses since the last evaluation.
        best: the lowest validation loss.
        best_weights: the weights with that loss.
        seconds: time spent in steps, over all starts of the run.
    """

    step: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    best: float = float("inf")
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Checkpoint:
    """Content of a file that `save` wrote."""

    recipe: Recipe
    progress: RunProgress
    weights: dict[str, Tensor]
    optimizer: dict[str, Any]
    digest: str


def save(
    path: Path,
    recipe: Recipe,
    digest: str,
    progress: RunProgress,
    model: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
) -> None:
    """Write a checkpoint; if the run is killed during the write, the old checkpoint stays.

    A checkpoint has no random state: each step derives its random numbers from the seed and the step number.
    """
    numbers, tensors = _optimizer_state(optimizers)
    tensors |= {f"model.{name}": weight for name, weight in model.state_dict().items()}
    tensors |= {f"best.{name}": weight for name, weight in progress.best_weights.items()}
    header = {
        "format_version": FORMAT_VERSION,
        "recipe": asdict(recipe),
        "digest": digest,
        "progress": {name: value for name, value in vars(progress).items() if name != "best_weights"},
        "optimizer": numbers,
    }
    write_tensors(path, tensors, {"run": json.dumps(header)})


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        CheckpointError: the file is missing or is not a checkpoint.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["run"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        recipe, progress = Recipe(**header["recipe"]), RunProgress(**header["progress"])
    except FileNotFoundError:
        raise CheckpointError(f"there is no {path.name} in {path.parent} to resume from") from None
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        message = f"{path} is not a checkpoint of this program ({error}); start again with --fresh"
        raise CheckpointError(message) from None
    progress.best_weights = _part(tensors, "best.")
    state = {**header["optimizer"], **_part(tensors, "optimizer.")}
    return Checkpoint(recipe, progress, _part(tensors, "model."), state, header["digest"])


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file, whole or not at all."""
    plain = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    write_file(path, tensors_as_bytes(plain, metadata))


def write_file(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all: on a full disk, the old file stays."""
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink(missing_ok=True)  # half a file would fill the disk
        raise


def _optimizer_state(optimizers: Sequence[torch.optim.Optimizer]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the numbers and tensors in the optimizers' state, with keys `NUMBER.NAME`."""
    numbers: dict[str, Any] = {}
    tensors: dict[str, Tensor] = {}
    for index, (optimizer, parameter) in enumerate(_parameters(optimizers)):
        for name, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = value
            else:
                numbers[f"{index}.{name}"] = value
    return numbers, tensors


def restore_optimizers(optimizers: Sequence[torch.optim.Optimizer], state: dict[str, Any]) -> None:
    """Restore the saved state of the optimizers, bit by bit.

    `load_state_dict` would turn integers into floats for optimizers other than PyTorch's own.
    """
    parameters = _parameters(optimizers)
    for name, value in state.items():
        index, key = name.split(".", 1)
        optimizer, parameter = parameters[int(index)]
        optimizer.state[parameter][key] = value.to(parameter.device) if isinstance(value, Tensor) else value


def _parameters(optimizers: Sequence[torch.optim.Optimizer]) -> list[tuple[torch.optim.Optimizer, nn.Parameter]]:
    """Return each parameter with the optimizer that updates it."""
    return [
        (optimizer, parameter)
        for optimizer in optimizers
        for group in optimizer.param_groups
        for parameter in group["params"]
    ]


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
