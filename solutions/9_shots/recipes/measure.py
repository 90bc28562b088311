"""What the models of this stage learn, with one seed: `python -m benchmarks.modern 9_shots` runs this program.

    python measure.py SEED

Prints one JSON object of figures: accuracies after 0 to 16 shots, their largest distance from the optimum, induction
scores, and CPU seconds of training.
"""

import json
import sys
import time

import torch
from in_context import (
    MODELS,
    KnownRelations,
    LabelMapping,
    accuracy_by_shots,
    accuracy_of_last,
    new_model,
    scores_of_heads,
    train,
    with_answers_elsewhere,
)
from shots import induction_score

SHOTS = (0, 1, 2, 4, 8, 16)


def measure(seed: int) -> dict[str, float]:
    """Train each model of the sheet with this seed and return the figures."""
    torch.set_num_threads(1)
    figures = {}
    for name in MODELS:
        task, model = MODELS[name][0], new_model(name, seed)
        started = time.process_time()
        train(model, name, seed)
        figures[f"{name}_seconds"] = time.process_time() - started
        accuracy = accuracy_by_shots(model, task)
        figures |= {f"{name}_after_{shots}": float(accuracy[shots]) for shots in SHOTS}
        figures[f"{name}_distance"] = max(abs(float(accuracy[shots]) - task.optimum(shots)) for shots in SHOTS)
        if isinstance(task, LabelMapping):
            documents = task.documents(1000, torch.Generator().manual_seed(5))
            moved = with_answers_elsewhere(documents, torch.Generator().manual_seed(6))
            figures[f"{name}_induction"] = float(scores_of_heads(model, task, induction_score).max())
            figures[f"{name}_elsewhere"] = accuracy_of_last(model, moved)
    new_relations = accuracy_by_shots(model, KnownRelations(seed=99))
    return figures | {"new_relations_after_16": float(new_relations[16])}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
