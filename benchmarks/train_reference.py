"""Train the GPT of stage 6 with the reference, as a student would, and hold the result to what is promised.

    python -m benchmarks.train_reference                     # the configuration `cpu`, about 3 minutes
    python -m benchmarks.train_reference --config known      # anything that train.py takes
    python -m benchmarks.train_reference --speedrun          # the course's own speedrun, about a minute

What comes out stands in build/train/6_gpt: weights, record, curve and samples. The command fails when the whole
validation text is foretold worse than promised. The loss is the same on each run of one machine; CPU seconds depend
on the machine.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from autograder.lab import Lab
from autograder.release.solved import write_solved

# Data → nats per character that its recipe has to reach, at most.
BARS = {"shakespeare": 1.90}
# (Data, most tokens) of a speedrun → the same.
SPEEDRUN_BARS = {("shakespeare", 680_000): 1.77, ("shakespeare", 1_500_000): 1.62}


def main(arguments: list[str]) -> int:
    """Lay out a solved repository, train in it, compare; the exit code."""
    lab = Lab.find()
    folder = lab.build / "train"
    write_solved(lab, folder)
    results = folder / "6_gpt"
    speedrun = "--speedrun" in arguments
    if speedrun:
        shutil.copyfile(lab.root / "solutions" / "6_gpt" / "recipes" / "speedrun.py", results / "speedrun.py")
    done = subprocess.run([sys.executable, str(results / "train.py"), *arguments])
    return done.returncode or ("--help" not in arguments and check(results, speedrun))


def check(results: Path, speedrun: bool) -> int:
    """Say what the run came to; 1 when it is less than promised."""
    record = json.loads((results / ("speedrun.json" if speedrun else "training.json")).read_text(encoding="utf-8"))
    times = os.times()
    print(f"{record['tokens']:,} tokens, {times.children_user + times.children_system:.0f} CPU seconds in all")
    data = record["data"]["name"]
    bar = SPEEDRUN_BARS.get((data, record["recipe"]["tokens"])) if speedrun else BARS.get(data)
    if bar is not None and record["validation_loss"] > bar:
        print(f"the validation loss is {record['validation_loss']:.4f}; {bar:.2f} is promised")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
