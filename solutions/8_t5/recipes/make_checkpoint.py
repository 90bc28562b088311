"""Make the trained weights that the lab sheet loads, `t5_gaps.safetensors` and `t5_inflections.safetensors` in `given`.

python -m benchmarks.modern 8_t5 --checkpoint
"""

from pathlib import Path

import t5_training as training
import torch
from safetensors.torch import save_file

SEED = 0


def main() -> None:
    """Train both models as the lab sheet does; the same seed gives the same weights on one machine."""
    torch.set_num_threads(1)
    gaps, _ = training.learn_gaps(training.word_vocabulary(), SEED)
    inflections, _ = training.learn_inflections(training.letter_vocabulary(), SEED)
    for name, model in (("t5_gaps", gaps), ("t5_inflections", inflections)):
        save_file(model.state_dict(), Path(__file__).parents[1] / "given" / f"{name}.safetensors")


if __name__ == "__main__":
    main()
