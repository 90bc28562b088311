"""Make the pre-trained weights that the lab sheet loads: `given/bert.safetensors`, always the same on one machine.

python -m benchmarks.modern 7_bert --checkpoint
"""

from pathlib import Path

import torch
from bert_training import new_model, pre_train
from bert_words import Words, read_sentences
from safetensors.torch import save_file

SEED = 0


def main() -> None:
    """Pre-train as the lab sheet does and write the weights, by the names of `Bert` and `MaskedLanguageHead`."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    training, _ = read_sentences(Path("../data/translation"))
    words = Words(training)
    bert, head = new_model(len(words))
    for _ in pre_train(bert, head, words.encode(training), torch.Generator().manual_seed(SEED)):
        pass
    parts = {"bert": bert, "head": head}
    weights = {f"{part}.{name}": tensor for part, model in parts.items() for name, tensor in model.state_dict().items()}
    save_file(weights, Path(__file__).parents[1] / "given" / "bert.safetensors")


if __name__ == "__main__":
    main()
