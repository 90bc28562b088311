"""Train your GPT.

    python train.py                     # about 3 minutes on a laptop: 0.8 million parameters
    python train.py --config gpu        # 10 million parameters, for a GPU
    python train.py --config known      # a made-up language whose lowest possible loss is known
    python train.py --speedrun          # the model of speedrun.py, for the leaderboard
    python train.py --resume            # continue a stopped run; without one, start (a speedrun: add --speedrun)
    torchrun --nproc-per-node 2 train.py --config gpu      # several GPUs

The results are written beside this file. You hand in `gpt.safetensors` (the weights) and `training.json` (the record
of the run). `curve.png` and `samples.txt` show its course. One token is one character. Ctrl-C stops a run and saves it.

Exit codes: 0 the run is complete; 1 your code raised an error; 2 wrong use, such as options that do not fit; 3 stopped
and saved, so `--resume` continues; 4 a result cannot be written, for example on a full disk.

The model, batches, optimizer, schedule, loss and sampling are those of your `gpt.py`. If PyTorch has a faster part
that gives the same numbers as yours, that part is used, and a line names it; `--parts own` uses only yours.
"""

import os
import sys
from pathlib import Path

STAGE = Path(__file__).resolve().parent


def main() -> int:
    """Train with the options of the command line; the exit code is 0 if the run is complete."""
    if os.environ.get("RANK", "0") == "0" and not {"-h", "--help"} & set(sys.argv):
        print("Loading PyTorch and your modules ...", flush=True)
    # Your gpt.py imports the modules of earlier stages, which are in the folders beside this one. They come before
    # installed packages: one of those may have the name of a stage.
    packages = ("site-packages", "dist-packages")
    first = next((index for index, folder in enumerate(sys.path) if folder.endswith(packages)), len(sys.path))
    sys.path[first:first] = [str(folder) for folder in sorted(STAGE.parent.glob("[1-9]*_*"))]
    libraries = {"matplotlib", "numpy", "rich", "safetensors", "torch", *sys.stdlib_module_names}
    for file in sorted(STAGE.glob("*.py")):
        if file.stem in libraries:
            print(f"{file} hides a library of that name: rename it, for example to my_{file.name}")
            return 2
    from trainer.command import run

    return run(STAGE, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
