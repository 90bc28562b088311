"""Trains your GPT.

    python train.py                     # about 3 minutes on a laptop: 0.8 million parameters
    python train.py --config gpu        # 10 million parameters, for a graphics card
    python train.py --config known      # a made-up language whose least possible loss is known
    python train.py --speedrun          # the model of speedrun.py, for the leaderboard
    python train.py --resume            # goes on where a run was stopped (a speedrun: --speedrun --resume)
    torchrun --nproc-per-node 2 train.py --config gpu      # several cards

What comes out stands beside this file: `gpt.safetensors` (the weights) and `training.json` (how they came
about), which you hand in; `curve.png` and `samples.txt` show how it went. Ctrl-C stops a run and saves it.

The model, its batches, optimizer, schedule, loss and sampling are those of your `gpt.py`. Where PyTorch has a
faster part that gives the same numbers as yours, that one is used, and a line says which; `--parts own` keeps to
your own.
"""

import sys
from pathlib import Path

STAGE = Path(__file__).resolve().parent


def main() -> int:
    """Train as the command line says; the exit code is 0 when the run is complete."""
    # Your gpt.py imports the modules of earlier stages, which stand in folders beside this one.
    sys.path.extend(str(folder) for folder in sorted(STAGE.parent.glob("[1-9]*_*")))
    from trainer.command import run

    return run(STAGE, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
