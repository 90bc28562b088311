"""Output of a run: a progress bar with loss, speed and time left; samples; and the loss curve."""

import io
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from trainer.checkpoint import RunProgress, write_file
from trainer.recipe import Recipe

SHOWN_LENGTH = 70
# Number of steps over which the loss and the speed are smoothed.
LAST_STEPS = 50
BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#707070"


class Display:
    """Shows a run on a console; if the console is not a terminal, one line per evaluation."""

    def __init__(self, curve: Path, samples: Path, console: Console, bars: dict[str, float]) -> None:
        """Print to `console`, draw the loss curve and the losses to beat, `bars`, and write samples into `samples`."""
        self.curve, self.samples, self.console, self.bars = curve, samples, console, bars
        self._recipe = Recipe()
        self._loss: float | None = None
        self._seconds = 0.0
        self._step_times: deque[float] = deque(maxlen=LAST_STEPS)

    def say(self, text: str, style: str = "") -> None:
        """Print a line."""
        self.console.print(Text(text, style), soft_wrap=True)

    @contextmanager
    def bar(self, recipe: Recipe, progress: RunProgress) -> Iterator[None]:
        """Show a progress bar until the context ends."""
        self._recipe = recipe
        self._seconds = progress.seconds
        columns = (
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TextColumn("{task.fields[speed]} tokens/s"),
            TimeRemainingColumn(compact=True),
        )
        with Progress(*columns, console=self.console, disable=not self.console.is_terminal) as bar:
            self._bar = bar
            self._task = bar.add_task("", total=recipe.steps, completed=progress.step, loss="–", speed="–")
            yield

    def show_step(self, loss: float, progress: RunProgress) -> None:
        """Update the bar after a step."""
        self._loss = loss if self._loss is None else self._loss + (loss - self._loss) / LAST_STEPS
        self._step_times.append(progress.seconds - self._seconds)
        self._seconds = progress.seconds
        self._bar.update(self._task, completed=progress.step, loss=f"{self._loss:.3f}", speed=f"{self._speed():,.0f}")

    def show_evaluation(self, progress: RunProgress, sample: str) -> None:
        """Print an evaluation, redraw the curve, and show a sample of the model's text."""
        last = progress.curve[-1]
        self.say(
            f"{last['tokens']:>12,} tokens   training {last['training_loss']:.3f}   "
            f"validation {last['validation_loss']:.3f}   {self._speed():,.0f} tokens/s{self._time_left(progress)}"
        )
        draw_curve(self.curve, progress.curve, self.bars)
        if sample:
            line = sample.strip().replace("\n", " / ")
            self.say(f"    {line[:SHOWN_LENGTH]}…", "dim")
            with self.samples.open("a", encoding="utf-8") as file:
                file.write(f"=== after {last['tokens']:,} tokens\n{sample}\n\n")

    def _speed(self) -> float:
        """Return the tokens per second of the last steps, without evaluations."""
        return self._recipe.tokens_per_step / median(self._step_times) if self._step_times else 0.0

    def _time_left(self, progress: RunProgress) -> str:
        seconds = (self._recipe.steps - progress.step) * median(self._step_times or [0.0])
        return f"   {seconds / 60:.0f} min left" if seconds >= 90 else f"   {seconds:.0f} s left" if seconds else ""


def draw_curve(path: Path, curve: list[dict[str, float]], bars: dict[str, float]) -> None:
    """Plot the losses against the number of training tokens, and the losses of models that need no training."""
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    tokens = [entry["tokens"] / 1e6 for entry in curve]
    for name, loss in bars.items():
        axes.axhline(loss, color=GREY, linewidth=0.8, linestyle=":")
        axes.annotate(name, (1, loss), (0, 2), ("axes fraction", "data"), "offset points", ha="right", color=GREY)
    axes.plot(tokens, [entry["training_loss"] for entry in curve], "--", color=ORANGE, label="training")
    axes.plot(tokens, [entry["validation_loss"] for entry in curve], "-o", color=BLUE, label="validation")
    axes.set(xlabel="million tokens", ylabel="loss, nats per character")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left")
    image = io.BytesIO()
    figure.savefig(image, dpi=120, format="png")
    write_file(path, image.getvalue())
