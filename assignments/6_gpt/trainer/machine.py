"""Where a run takes place: the device, its number format, and other processes beside this one."""

import importlib.util
import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Machine:
    """The device of this process, and which of how many processes it is.

    Attributes:
        device: "cuda", "mps" or "cpu", with a number where there are several.
        rank: of this process; rank 0 shows and saves.
        processes: how many train together (`torchrun`).
        half: whether the model computes in bfloat16 where that is safe (autocast).
        compiled: whether the model is compiled.
    """

    device: torch.device
    rank: int
    processes: int
    half: bool
    compiled: bool

    def describe(self) -> str:
        """One line for people."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type.upper()
        threads = torch.get_num_threads()
        parts = [name if self.device.type != "cpu" else f"{name}, {threads} thread{'s' * (threads > 1)}"]
        parts += [f"{self.processes} processes"] * (self.processes > 1)
        parts += ["bfloat16"] * self.half + ["compiled"] * self.compiled
        return ", ".join(parts)

    def share(self, batch: Tensor) -> Tensor:
        """The rows of a batch that this process trains on."""
        return batch[self.rank :: self.processes]

    def mean(self, value: float) -> float:
        """The mean over all processes."""
        if self.processes == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64).to(self.device, torch.float32)
        torch.distributed.all_reduce(tensor)
        return float(tensor) / self.processes


def find_machine(device: str, threads: int, compiled: bool | None) -> Machine:
    """The machine that is asked for, or the best there is.

    Args:
        device: "auto", or the name of a device.
        threads: of a CPU. One is the default: tensors here are small, and a second thread is many times slower
            than one whenever another program wants its core.
        compiled: None for where it pays and can be done, on CUDA.

    Raises:
        RuntimeError: there is no such device.
    """
    torch.set_num_threads(threads)
    rank, processes = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    found = torch.device(_best_device() if device == "auto" else device)
    if found.type == "cuda":
        found = torch.device("cuda", found.index if found.index is not None else int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(found)
        torch.set_float32_matmul_precision("high")
    torch.empty(1, device=found)  # a device that is not there says so now
    if processes > 1 and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if found.type == "cuda" else "gloo")
    on_cuda = found.type == "cuda"
    # Older cards only imitate bfloat16, and are slower with it.
    half = on_cuda and torch.cuda.get_device_capability(found) >= (8, 0)
    if compiled is None:
        compiled = on_cuda and importlib.util.find_spec("triton") is not None  # which compiling for CUDA needs
    return Machine(found, rank, processes, half, compiled)


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


class _Half(nn.Module):
    """A model that computes in bfloat16 where that is safe, and gives its logits in float32 for the loss."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        with torch.autocast(tokens.device.type, dtype=torch.bfloat16):
            logits = self.model(tokens)
        return logits.float()


def prepare(model: nn.Module, machine: Machine) -> tuple[nn.Module, nn.Module]:
    """The model as it is trained and as it is measured; both share their weights with `model`."""
    measured: nn.Module = _Half(model) if machine.half else model
    if machine.compiled:
        measured = torch.compile(measured)  # type: ignore[assignment]
    if machine.processes == 1:
        return measured, measured
    devices: dict[str, Any] = {"device_ids": [machine.device]} if machine.device.type == "cuda" else {}
    return DistributedDataParallel(measured, **devices), measured


def close(machine: Machine) -> None:
    """Take leave of the other processes."""
    if machine.processes > 1:
        torch.distributed.destroy_process_group()
