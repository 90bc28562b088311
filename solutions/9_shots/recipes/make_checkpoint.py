"""Make the trained weights that the lab sheet loads, always the same on one machine.

    python -m benchmarks.modern 9_shots --checkpoint

Writes `given/own_answers.safetensors`, `given/shared_answers.safetensors`, `given/known_relations.safetensors` and
`given/reader.safetensors`.
"""

from pathlib import Path

import torch
from in_context import MODELS, new_model, train
from reading import Plays, new_reader, train_reader
from safetensors.torch import save_file

GIVEN = Path(__file__).parents[1] / "given"


def main() -> None:
    """Train all models of the lab sheet as the sheet does, and write their weights."""
    torch.set_num_threads(1)
    for name in MODELS:
        model = new_model(name)
        train(model, name)
        save_file(model.state_dict(), GIVEN / f"{name}.safetensors")
    plays = Plays()
    reader = new_reader(plays)
    train_reader(reader, plays)
    save_file(reader.state_dict(), GIVEN / "reader.safetensors")


if __name__ == "__main__":
    main()
