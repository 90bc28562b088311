"""Check the lab on a graphics card in at most eight minutes, and write what was found.

    python -m tools.gpu_check

It runs the tests marked `cuda`, trains the configuration `gpu` for a part of its tokens, once as it is and once
compiled in bfloat16, and compares the trainer's tokens per second with a plain PyTorch GPT. It writes
`build/gpu/gpu.json` and the page `docs/gpu.md`. Without a card it says so and ends with 2.
"""

import json
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import click
import torch

from autograder.course.lab import Lab
from autograder.release.solved import write_solved
from benchmarks.training_speed import make_trainers, student_modules_on_path, take_turns

LIMIT_SECONDS = 480
PAGE, RESULTS = "docs/gpu.md", "gpu/gpu.json"


@dataclass(frozen=True)
class Sizes:
    """How much to train and measure, and on which device; a test uses tiny sizes on the CPU.

    Attributes:
        device: name of the device.
        config: configuration of the trainer.
        options: further options of train.py.
        steps: number of pairs of steps whose speed is measured.
        tests: arguments of pytest that select the tests.
    """

    device: str = "cuda"
    config: str = "gpu"
    options: tuple[str, ...] = ("--tokens", "8200000", "--evaluations", "4")
    steps: int = 60
    tests: tuple[str, ...] = ("-m", "cuda", "tests/references")


@dataclass
class Check:
    """The parts of a check and the time that is left to them."""

    lab: Lab
    sizes: Sizes
    started: float = field(default_factory=time.monotonic)

    def left(self, share: float) -> float:
        """Return the seconds that a part may take: its share of what is left."""
        return max(1.0, share * (LIMIT_SECONDS - (time.monotonic() - self.started)))

    def run_tests(self) -> dict[str, Any]:
        """Run the tests that need a card; a skipped test counts as a problem."""
        arguments = ["-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", *self.sizes.tests]
        code, output = run([sys.executable, *arguments], self.lab.root, self.left(0.3))
        counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|error)", output)}
        passed = code == 0 and counts.get("passed", 0) > 0 and not counts.get("skipped")
        return {"ok": passed, **counts, "output": "" if passed else output[-2000:]}

    def train(self, folder: Path, *options: str) -> dict[str, Any]:
        """Train as a student does, and read the record of the run."""
        out = folder / "-".join(("run", *options))
        out.mkdir()
        command = [sys.executable, str(folder / "6_gpt" / "train.py"), "--config", self.sizes.config]
        command += ["--device", self.sizes.device, "--out", str(out), *self.sizes.options, *options]
        started = time.monotonic()
        code, output = run(command, folder, self.left(0.4))
        seconds = time.monotonic() - started
        if code != 0:
            return {"ok": False, "seconds": round(seconds, 1), "output": output[-2000:]}
        record = json.loads((out / "training.json").read_bytes())
        return {
            "ok": True,
            "seconds": round(seconds, 1),
            "tokens": record["tokens"],
            "validation_loss": record["validation_loss"],
            "tokens_per_second": round(record["tokens"] / seconds),
        }

    def compare_speed(self, folder: Path) -> dict[str, Any]:
        """Compare the speed of each step with that of a plain PyTorch GPT on the same device."""
        with student_modules_on_path(folder):
            compiled = None if self.sizes.device == "cuda" else False
            ours, plain, recipe = make_trainers(folder, self.sizes.config, "fast", None, self.sizes.device, compiled)
            seconds = take_turns(ours, plain, self.sizes.steps, time.perf_counter)
        speeds = {name: round(recipe.tokens_per_step / median(times)) for name, times in seconds.items()}
        ratio = speeds["ours"] / speeds["plain PyTorch"]
        return {"ok": True, "machine": ours.machine.describe(), "tokens_per_second": speeds, "ratio": round(ratio, 3)}


def run(command: Sequence[str], folder: Path, seconds: float) -> tuple[int, str]:
    """Run a command with a deadline; return its exit code and its output."""
    try:
        done = subprocess.run(
            command, cwd=folder, timeout=seconds, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        text = output.decode(errors="replace") if isinstance(output, bytes) else output
        return 124, f"{text}\nit did not end within {seconds:.0f} s"
    return done.returncode, done.stdout


def check(lab: Lab, sizes: Sizes, show: Callable[[str], object]) -> dict[str, Any]:
    """Run all parts; a part that fails does not keep the others from running."""
    parts = Check(lab, sizes)
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as name:
        folder = Path(name)
        write_solved(lab, folder)
        steps: dict[str, Callable[[], dict[str, Any]]] = {
            "tests": parts.run_tests,
            "training": lambda: parts.train(folder, "--no-compile"),
            "compiled training": lambda: parts.train(folder, "--compile"),
            "speed": lambda: parts.compare_speed(folder),
        }
        found: dict[str, Any] = {}
        for title, step in steps.items():
            try:
                found[title] = step()
            except Exception as error:
                found[title] = {"ok": False, "output": f"{type(error).__name__}: {error}"}
            show(f"{title}: {'ok' if found[title]['ok'] else 'FAILED'}")
    return {**machine(sizes.device), "parts": found}


def machine(device: str) -> dict[str, Any]:
    """Describe the card, the versions and the date."""
    on_cuda = device.startswith("cuda")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "device": torch.cuda.get_device_name() if on_cuda else platform.processor() or device,
        "versions": f"Python {platform.python_version()}, torch {torch.__version__}, CUDA {torch.version.cuda}",
    }


def page(results: dict[str, Any]) -> str:
    """Return the text of the page."""
    rows = []
    for title, part in results["parts"].items():
        details = ", ".join(f"{key}: {value}" for key, value in part.items() if key not in ("ok", "output"))
        rows.append(f"| {title} | {'ok' if part['ok'] else 'failed'} | {details} |")
    return f"""# Does it run on a GPU?

`python -m tools.gpu_check` ran on {results["date"]} on {results["device"]} with {results["versions"]}.

| part | result | numbers |
|---|---|---|
{chr(10).join(rows)}
"""


@click.command()
def main() -> None:
    """Check the lab on this machine's graphics card."""
    if not torch.cuda.is_available():
        click.echo(f"no CUDA device: torch {torch.__version__} sees none, so nothing was checked")
        sys.exit(2)
    lab = Lab.find()
    results = check(lab, Sizes(), click.echo)
    target = lab.build / RESULTS
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(results, indent=1), encoding="utf-8")
    (lab.root / PAGE).write_text(page(results), encoding="utf-8")
    click.echo(f"written: {target} and {PAGE}")
    sys.exit(0 if all(part["ok"] for part in results["parts"].values()) else 1)


if __name__ == "__main__":
    main()
