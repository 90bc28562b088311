"""A short script that repeats the requests of a recorded check on the student's modules, without the grader."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from autograder.base.text import printable
from autograder.isolation.wire import Handle, Reference
from autograder.judge.recorded import RecordedRun
from autograder.judge.sessions import Exchange

SCRIPT, VALUES, STAND_INS = "reproduce.py", "values.pt", "stand_ins.py"
_MOST_INLINE = 12  # numbers of a tensor that are written into the script


def reproduction(title: str, module: str, run: RecordedRun) -> dict[str, bytes]:
    """Write the script and the files that it reads, by name.

    Args:
        title: the first line of the script: student, stage and check.
        module: the module that the check calls.
        run: the recorded run.
    """
    script = _Script(module)
    lines = [f'"""{printable(title, 100)}: `python {SCRIPT}` here runs the student\'s code, without isolation."""', ""]
    body = [line for exchange in run.exchanges for line in script.lines_of(exchange)]
    files = {f"{name}.py": text.encode() for name, text in run.modules.items()}
    lines += ["import torch", f"import {module}", ""]
    if run.replacement:
        files[STAND_INS] = run.replacement.encode()
        lines += [f'exec(open("{STAND_INS}").read(), vars({module}))  # the course\'s, as when it was graded']
    body += ['print("came:", result)']
    if run.expected is not None:
        body += [f'print("expected:", {script.text(run.expected)})']
    if script.values:
        lines += [f'values = torch.load("{VALUES}")']
        stream = io.BytesIO()
        torch.save(script.values, stream)
        files[VALUES] = stream.getvalue()
    return {SCRIPT: "\n".join([*lines, *body, ""]).encode(), **files}


class _Script:
    """Requests as lines of Python; large values are kept for a file."""

    def __init__(self, module: str) -> None:
        self.values: dict[str, torch.Tensor] = {}
        self._module = module
        self._grad = True

    def lines_of(self, exchange: Exchange) -> list[str]:
        """The lines that repeat a request."""
        arguments, lines = exchange.arguments, []
        match exchange.op:
            case "call":
                if arguments["grad"] is not self._grad:
                    self._grad = arguments["grad"]
                    lines.append(f"torch.set_grad_enabled({self._grad})")
                parts = [self.text(value) for value in arguments["args"]]
                parts += [f"{name}={self.text(value)}" for name, value in arguments["kwargs"].items()]
                lines.append(f"result = {self.text(arguments['target'])}({', '.join(parts)})")
                reply = exchange.reply[0] if exchange.reply is not None else None
            case "value":
                lines.append(f"result = {self.text(arguments['target'])}")
                reply = exchange.reply
            case "gradients":
                target = self.text(arguments["target"])
                lines.append(f"result = {{name: value.grad for name, value in {target}.named_parameters()}}")
                reply = exchange.reply
            case "define":
                lines += ["result = {}", f"exec({arguments['source']!r}, result)"]
                reply = exchange.reply
            case _:
                return [f"# {exchange.op}: the check computes gradients here"]
        return lines + [f"object_{number} = result{path}" for number, path in _handles(reply)]

    def text(self, value: Any) -> str:
        """A value as Python writes it."""
        if isinstance(value, Handle):
            return f"object_{value.id}"
        if isinstance(value, Reference):
            return f"{f'object_{value.owner}' if value.owner else self._module}.{value.path}"
        if isinstance(value, torch.Tensor):
            return self._tensor(value) + (".requires_grad_()" if value.requires_grad else "")
        if isinstance(value, np.ndarray):
            return f"{self._tensor(torch.from_numpy(value.copy()))}.numpy()"
        if isinstance(value, torch.Generator):
            return f"torch.Generator().set_state({self._tensor(value.get_state())})"
        if isinstance(value, dict):
            return f"{{{', '.join(f'{key!r}: {self.text(item)}' for key, item in value.items())}}}"
        if isinstance(value, (list, tuple)):
            inner = ", ".join(map(self.text, value))
            return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' * (len(value) == 1)})"
        if isinstance(value, float) and not np.isfinite(value):
            return f'float("{value}")'
        return repr(value)

    def _tensor(self, value: torch.Tensor) -> str:
        value = value.detach()
        exact = value.dtype in (torch.float64, torch.int64, torch.bool) and bool(torch.isfinite(value).all())
        if exact and value.numel() <= _MOST_INLINE and 0 not in value.shape:
            return f"torch.tensor({value.tolist()}, dtype={value.dtype})"
        name = f"v{len(self.values) + 1}"
        self.values[name] = value.clone()
        return f'values["{name}"]'


def _handles(reply: Any, path: str = "") -> list[tuple[int, str]]:
    """The number of each object in a reply, and how to reach it."""
    if isinstance(reply, Handle):
        return [(reply.id, path)]
    if isinstance(reply, Mapping):
        return [pair for key, item in reply.items() for pair in _handles(item, f"{path}[{key!r}]")]
    if isinstance(reply, (list, tuple)):
        return [pair for index, item in enumerate(reply) for pair in _handles(item, f"{path}[{index}]")]
    return []
