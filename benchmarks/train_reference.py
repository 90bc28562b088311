"""Train the GPT of stage 6 with the reference, as a student would, and compare its loss with the limit.

    python -m benchmarks.train_reference                     # the configuration `cpu`, about 3 minutes
    python -m benchmarks.train_reference --config known      # any options of train.py
    python -m benchmarks.train_reference --speedrun          # the course's own speedrun, about a minute
    python -m benchmarks.train_reference --speedrun --data known_language --documents --tokens 600000

The results are in build/train/6_gpt: weights, record, curve and samples. The command fails if the loss on the whole
validation text exceeds the limit. The loss is the same on each run of one machine; CPU seconds depend on the machine.
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

# Data → largest allowed loss of its recipe, in nats per character.
LARGEST_LOSSES = {"shakespeare": 1.90}
# Token budget of a speedrun of the plays → the same.
SPEEDRUN_LOSSES = {680_000: 1.77, 1_500_000: 1.62}
# Data of a speedrun → the course's own speedrun.
SPEEDRUNS = {"shakespeare": "plays.py", "known_language": "known_language.py"}
# Largest allowed distance of the known language's speedrun from the lowest possible loss, in nats per character.
KNOWN_DISTANCE = 0.04


def main(arguments: list[str]) -> int:
    """Write a solved repository, train in it and compare; return the exit code."""
    lab = Lab.find()
    folder = lab.build / "train"
    write_solved(lab, folder)
    results = folder / "6_gpt"
    speedrun = "--speedrun" in arguments
    if speedrun:
        copy_speedrun(lab.root / "solutions" / "6_gpt" / "recipes", results, arguments)
    done = subprocess.run([sys.executable, str(results / "train.py"), *arguments])
    return done.returncode or ("--help" not in arguments and check(lab, results, speedrun))


def copy_speedrun(recipes: Path, results: Path, arguments: list[str]) -> None:
    """Replace the starter by the course's own speedrun of the chosen data."""
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--data", choices=SPEEDRUNS, default="shakespeare")
    chosen, _ = options.parse_known_args(arguments)
    for recipe in recipes.glob("*.py"):  # a speedrun may import another
        shutil.copyfile(recipe, results / recipe.name)
    shutil.copyfile(recipes / SPEEDRUNS[chosen.data], results / "speedrun.py")


def check(lab: Lab, results: Path, speedrun: bool) -> int:
    """Print the results of the run; return 1 if its loss exceeds the limit."""
    record = json.loads((results / ("speedrun.json" if speedrun else "training.json")).read_text(encoding="utf-8"))
    times = os.times()
    print(f"{record['tokens']:,} tokens, {times.children_user + times.children_system:.0f} CPU seconds in total")
    data, loss = record["data"]["name"], record["validation_loss"]
    if data == "known_language":
        lowest = lowest_possible_loss(lab)
        print(f"{loss - lowest:.4f} nats above the lowest possible loss of {lowest:.4f}")
        limit = lowest + KNOWN_DISTANCE if speedrun else None
    else:
        limit = SPEEDRUN_LOSSES.get(record["recipe"]["tokens"]) if speedrun else LARGEST_LOSSES.get(data)
    if limit is not None and loss > limit:
        print(f"the validation loss is {loss:.4f}; it must be at most {limit:.4f}")
        return 1
    return 0


def lowest_possible_loss(lab: Lab) -> float:
    """Return the lowest possible loss on the known language's validation text, in nats per character."""
    text = (lab.root / "data" / "known_language" / "validation.txt").read_text(encoding="utf-8")
    return fmean(lowest for lowest, _ in KnownLanguage().limit(text))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
