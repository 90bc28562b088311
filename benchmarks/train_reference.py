"""Train the GPT of stage 6 with the reference, as a student would, and hold the result to what is promised.

    python -m benchmarks.train_reference                     # the configuration `cpu`, about 3 minutes
    python -m benchmarks.train_reference --config known      # anything that train.py takes

What comes out stands in build/train/6_gpt: weights, record, curve and samples. The command fails when the whole
validation text is foretold worse than promised. The loss is the same on each run of one machine; CPU seconds depend
on the machine.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from autograder.lab import Lab
from autograder.release.solved import write_solved

# Data → nats per character that its recipe has to reach, at most.
BARS = {"shakespeare": 1.90}


def main(arguments: list[str]) -> int:
    """Lay out a solved repository, train in it, compare; the exit code."""
    lab = Lab.find()
    folder = lab.build / "train"
    write_solved(lab, folder)
    done = subprocess.run([sys.executable, str(folder / "6_gpt" / "train.py"), *arguments])
    results = folder / "6_gpt"
    return done.returncode or ("--help" not in arguments and check(results))


def check(results: Path) -> int:
    """Say what the run came to; 1 when it is less than promised."""
    record = json.loads((results / "training.json").read_text(encoding="utf-8"))
    times = os.times()
    print(f"{record['tokens']:,} tokens, {times.children_user + times.children_system:.0f} CPU seconds in all")
    bar = BARS.get(record["data"]["name"])
    if bar is not None and record["validation_loss"] > bar:
        print(f"the validation loss is {record['validation_loss']:.4f}; {bar:.2f} is promised")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
