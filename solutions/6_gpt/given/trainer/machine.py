"""The machine of a run: the device, its number format, and the processes that train together."""

import importlib.util
import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Machine:
    """The device of this process, its rank and the number of processes.

    Attributes:
        device: "cuda", "mps" or "cpu", with an index if there are several.
        rank: of this process; rank 0 prints and saves.
        processes: number of processes that train together (`torchrun`).
        bfloat16: whether the model computes in bfloat16 where that is safe (autocast).
        compiled: whether the model is compiled.
    """

    device: torch.device
    rank: int
    processes: int
    bfloat16: bool
    compiled: bool

    def describe(self) -> str:
        """Describe the machine in one line."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type.upper()
        threads = torch.get_num_threads()
        parts = [name if self.device.type != "cpu" else f"{name}, {threads} thread{'s' * (threads > 1)}"]
        parts += [f"{self.processes} processes"] * (self.processes > 1)
        parts += ["bfloat16"] * self.bfloat16 + ["compiled"] * self.compiled
        return ", ".join(parts)

    def share(self, batch: Tensor) -> Tensor:
        """Return the rows of a batch that this process trains on."""
        return batch[self.rank :: self.processes]

    def mean(self, value: float) -> float:
        """Return the mean of a value over all processes."""
        if self.processes == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64).to(self.device, torch.float32)
        torch.distributed.all_reduce(tensor)
        return float(tensor) / self.processes


def find_machine(device: str, threads: int, compiled: bool | None) -> Machine:
    """Find the requested device, or the fastest available device.

    Args:
        device: "auto", or the name of a device.
        threads: number of CPU threads. The default is 1 because the tensors are small: two threads are many times
            slower than one when another program uses the core of the second thread.
        compiled: whether to compile the model; None compiles on CUDA if Triton is installed.

    Raises:
        RuntimeError: the device does not exist.
    """
    torch.set_num_threads(threads)
    rank, processes = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    found = torch.device(_best_device() if device == "auto" else device)
    if found.type == "cuda":
        if not torch.cuda.is_available():
            raise RuntimeError("PyTorch finds no CUDA device on this machine; `lab doctor` shows what it finds")
        found = torch.device("cuda", found.index if found.index is not None else int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(found)
        torch.set_float32_matmul_precision("high")
    torch.empty(1, device=found)  # fails now if the device does not exist
    if processes > 1 and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if found.type == "cuda" else "gloo")
    on_cuda = found.type == "cuda"
    # Older GPUs emulate bfloat16, which is slower.
    bfloat16 = on_cuda and torch.cuda.get_device_capability(found) >= (8, 0)
    if compiled is None:
        compiled = on_cuda and importlib.util.find_spec("triton") is not None  # required to compile for CUDA
    return Machine(found, rank, processes, bfloat16, compiled)


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


class _BFloat16(nn.Module):
    """A model that computes in bfloat16 where that is safe, and returns float32 logits for the loss."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        with torch.autocast(tokens.device.type, dtype=torch.bfloat16):
            logits = self.model(tokens)
        return logits.float()


def prepare(model: nn.Module, machine: Machine) -> tuple[nn.Module, nn.Module]:
    """Return the model for training and the model for evaluation; both share their weights with `model`."""
    evaluated: nn.Module = _BFloat16(model) if machine.bfloat16 else model
    if machine.compiled:
        evaluated = torch.compile(evaluated)  # type: ignore[assignment]
    if machine.processes == 1:
        return evaluated, evaluated
    devices: dict[str, Any] = {"device_ids": [machine.device]} if machine.device.type == "cuda" else {}
    return DistributedDataParallel(evaluated, **devices), evaluated


def close(machine: Machine) -> None:
    """Close the connection to the other processes."""
    if machine.processes > 1:
        torch.distributed.destroy_process_group()
