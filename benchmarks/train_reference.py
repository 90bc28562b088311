"""Train the GPT of stage 6 with the reference, as a student would, and hold the result to what is promised.

    python -m benchmarks.train_reference                     # the configuration `cpu`, about 3 minutes
    python -m benchmarks.train_reference --config known      # anything that train.py takes
    python -m benchmarks.train_reference --speedrun          # the course's own speedrun, about a minute
    python -m benchmarks.train_reference --speedrun --data known_language --documents --tokens 600000

What comes out stands in build/train/6_gpt: weights, record, curve and samples. The command fails when the whole
validation text is foretold worse than promised. The loss is the same on each run of one machine; CPU seconds depend
on the machine.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import fmean

from autograder.course.lab import Lab
from autograder.models.corpora.known_language import KnownLanguage
from autograder.release.solved import write_solved

# Data → nats per character that its recipe has to reach, at most.
BARS = {"shakespeare": 1.90}
# Most tokens of a speedrun of the plays → the same.
SPEEDRUN_BARS = {680_000: 1.77, 1_500_000: 1.62}
# Data of a speedrun → the course's own.
SPEEDRUNS = {"shakespeare": "plays.py", "known_language": "known_language.py"}
# How far above the limit the speedrun of the known language ends, at most.
KNOWN_BAR = 0.04


def main(arguments: list[str]) -> int:
    """Lay out a solved repository, train in it, compare; the exit code."""
    lab = Lab.find()
    folder = lab.build / "train"
    write_solved(lab, folder)
    results = folder / "6_gpt"
    speedrun = "--speedrun" in arguments
    if speedrun:
        lay_out_speedrun(lab.root / "solutions" / "6_gpt" / "recipes", results, arguments)
    done = subprocess.run([sys.executable, str(results / "train.py"), *arguments])
    return done.returncode or ("--help" not in arguments and check(lab, results, speedrun))


def lay_out_speedrun(recipes: Path, results: Path, arguments: list[str]) -> None:
    """The course's own speedrun of the data asked for, in the place of the starter."""
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--data", choices=SPEEDRUNS, default="shakespeare")
    chosen, _ = options.parse_known_args(arguments)
    for recipe in recipes.glob("*.py"):  # one builds on another
        shutil.copyfile(recipe, results / recipe.name)
    shutil.copyfile(recipes / SPEEDRUNS[chosen.data], results / "speedrun.py")


def check(lab: Lab, results: Path, speedrun: bool) -> int:
    """Say what the run came to; 1 when it is less than promised."""
    record = json.loads((results / ("speedrun.json" if speedrun else "training.json")).read_text(encoding="utf-8"))
    times = os.times()
    print(f"{record['tokens']:,} tokens, {times.children_user + times.children_system:.0f} CPU seconds in all")
    data, loss = record["data"]["name"], record["validation_loss"]
    if data == "known_language":
        least = limit(lab)
        print(f"{loss - least:.4f} nats above the limit of {least:.4f}")
        bar = least + KNOWN_BAR if speedrun else None
    else:
        bar = SPEEDRUN_BARS.get(record["recipe"]["tokens"]) if speedrun else BARS.get(data)
    if bar is not None and loss > bar:
        print(f"the validation loss is {loss:.4f}; {bar:.4f} is promised")
        return 1
    return 0


def limit(lab: Lab) -> float:
    """The least possible loss on the known language's validation text, in nats per character."""
    text = (lab.root / "data" / "known_language" / "validation.txt").read_text(encoding="utf-8")
    return fmean(least for least, _ in KnownLanguage().limit(text))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
