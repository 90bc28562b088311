"""The models that the grader accepts. A run checks its model before the first step, not after the last."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from trainer.limits import ModelLimits
from trainer.recipe import Recipe

# Bytes of one entry of the loss curve in the record, at most, and of everything else.
CURVE_ENTRY, REST_OF_RECORD = 160, 64 << 10
FLOATS = frozenset({torch.float64, torch.float32, torch.float16, torch.bfloat16})
INTEGERS = frozenset({torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8})
DTYPES = FLOATS | INTEGERS | {torch.bool}


class RefusedModelError(Exception):
    """The grader would refuse the results of the run; the message names the problem and the fix."""


def check_sizes(sizes: Mapping[str, object], limits: ModelLimits) -> None:
    """Check the sizes of a GPT against the limits of the course.

    Raises:
        RefusedModelError: a size is out of bounds.
    """
    for name, (smallest, largest) in limits.sizes.items():
        size = sizes[name]
        if not isinstance(size, int) or not smallest <= size <= largest:
            place = "the number of characters in train.txt" if name == "vocab_size" else f"--{name.replace('_', '-')}"
            raise RefusedModelError(f"{place} is {size}; the grader accepts {smallest} to {largest}")


def check_parameters(model: nn.Module, limits: ModelLimits) -> None:
    """Check the number of parameters against the limits of the course.

    Raises:
        RefusedModelError: there are too many.
    """
    count = sum(weight.numel() for weight in model.parameters())
    if count > limits.most_parameters:
        raise RefusedModelError(
            f"the model has {count:,} parameters; the grader accepts at most {limits.most_parameters:,}: "
            "lower --d-model, --d-hidden or --num-blocks"
        )


def check_record(recipe: Recipe, largest: int) -> None:
    """Check that the record of a run fits into a file of `largest` bytes.

    Raises:
        RefusedModelError: there are too many evaluations.
    """
    most = (largest - REST_OF_RECORD) // CURVE_ENTRY
    if recipe.evaluations > most:
        raise RefusedModelError(f"--evaluations is {recipe.evaluations:,}; the record has room for {most:,}")


def check_state(state: Mapping[str, Tensor], called: str, largest: int) -> None:
    """Check that the grader can read the state dict of a model from a file of `largest` bytes.

    Raises:
        RefusedModelError: a tensor has a dtype that the grader does not read, or holds numbers that are not finite, or
            all tensors together are too large.
    """
    for name, tensor in state.items():
        if tensor.dtype not in DTYPES:
            dtype = str(tensor.dtype).removeprefix("torch.")
            raise RefusedModelError(
                f"the state dict of {called} holds `{name}` as {dtype}, which the grader does not read; "
                "register a buffer with `persistent=False`"
            )
        if not tensor.isfinite().all():
            raise RefusedModelError(
                f"the state dict of {called} holds numbers that are not finite in `{name}`, which the grader refuses; "
                "register a buffer with `persistent=False`"
            )
    size = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    if size > largest:
        raise RefusedModelError(
            f"the state dict of {called} has {size / 2**20:.0f} MB; the grader accepts at most {largest >> 20} MB"
        )


def check_predictions(model: nn.Module, called: str, vocab_size: int, length: int) -> None:
    """Check that the model returns logits, and that no logits change with later tokens.

    Raises:
        RefusedModelError: it does not.
    """
    tokens = torch.arange(2 * length).remainder(vocab_size).view(2, length)
    changed = tokens.clone()
    changed[:, length // 2 :] = (tokens[:, length // 2 :] + 1) % vocab_size
    with evaluation_mode(model):
        before, after = model(tokens), model(changed)
    shape = getattr(before, "shape", type(before).__name__)
    if shape != (2, length, vocab_size):
        raise RefusedModelError(f"the logits of {called} have shape {shape}, not {(2, length, vocab_size)}")
    if not torch.allclose(before[:, : length // 2], after[:, : length // 2], rtol=1e-4, atol=1e-4):
        raise RefusedModelError(f"{called} looks ahead: its logits change when later tokens change")


def check_reload(model: nn.Module, build: Callable[[], nn.Module], called: str) -> None:
    """Check that a new model takes the state dict of a model that was called.

    Raises:
        RefusedModelError: it does not, for example because `forward` registers a buffer.
    """
    try:
        build().load_state_dict(model.state_dict())
    except RuntimeError as error:
        problem = " ".join(str(error).split())
        raise RefusedModelError(f"the weights of {called} do not fit into a new one ({problem})") from None


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Turn dropout and gradients off; afterwards restore the model's mode."""
    mode = model.training
    model.train(False)
    with torch.set_grad_enabled(False):
        try:
            yield
        finally:
            model.train(mode)
