"""How long a trained model is graded: all of its checks, through an isolated judge, on one core.

    python -m benchmarks.model_grading

The models have the sizes of the trainer's configurations `cpu` and `gpu`, the latter in bfloat16, and weights as
they start: what they have learnt makes no difference to the time. The command fails above what is promised.
"""

import json
import os
import runpy
import sys
import time

import click
import msgspec
import safetensors.torch
import torch
from rich.console import Console
from rich.table import Table

from autograder.course.lab import Lab, StageFolders, needed_stages
from autograder.isolation.in_process import InProcessSession
from autograder.isolation.proxy import Student
from autograder.judge.messages import Attached, Job, Judged
from autograder.judge.pool import JudgePool
from autograder.models import RECORD_FILE, WEIGHTS_FILE
from autograder.models.model import gpt_of
from autograder.models.record import FORMAT_VERSION, Record, Sizes

STAGE = "6_gpt"
# Configuration → number format of the weights, and seconds of one core that grading may take.
CASES = {"cpu": (torch.float32, 10.0), "gpu": (torch.bfloat16, 30.0)}


@click.command()
def main() -> None:
    """Grade a model of each size, print the seconds, and hold them to what is promised."""
    lab = Lab.find()
    stage = lab.stage(STAGE)
    recipes = runpy.run_path(str(lab.root / "solutions" / STAGE / "given" / "trainer" / "recipe.py"))["CONFIGS"]
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the judge and its workers inherit it
    table = Table("configuration", "parameters", "weights", "seconds", "promised")
    late = False
    with JudgePool(lab.root, size=1) as judges:
        for name, (dtype, promised) in CASES.items():
            files, parameters = untrained(lab, stage, recipes[name], dtype)
            seconds = graded(judges, stage, reference_modules(lab, stage), files)
            late |= seconds > promised
            table.add_row(name, f"{parameters:,}", str(dtype), f"{seconds:.1f}", f"{promised:.0f}")
    Console().print(table)
    sys.exit(late)


def reference_modules(lab: Lab, stage: StageFolders) -> dict[str, str]:
    """The reference and what it builds on, by module."""
    return {one.spec.module: one.reference_source() for one in needed_stages(lab, stage)}


def untrained(lab: Lab, stage: StageFolders, recipe: object, dtype: torch.dtype) -> tuple[dict[str, bytes], int]:
    """What a run of the recipe would hand in, with the weights that it starts from; and how many numbers they are."""
    alphabet = "".join(sorted(set((lab.root / "data" / "shakespeare" / "train.txt").read_text(encoding="utf-8"))))
    sizes = Sizes(
        vocab_size=len(alphabet),
        **{name: getattr(recipe, name) for name in Sizes.__struct_fields__ if name != "vocab_size"},
    )
    session = InProcessSession()
    session.load(reference_modules(lab, stage), stage.spec.module)
    built = gpt_of(Record(format_version=FORMAT_VERSION, config=sizes, alphabet=alphabet, parameters=0)).build(
        Student(session)
    )
    weights = {name: weight.to(dtype).clone() for name, weight in built.state_dict().items()}
    parameters = sum(weight.numel() for weight in weights.values())
    record = Record(format_version=FORMAT_VERSION, config=sizes, alphabet=alphabet, parameters=parameters)
    told = json.dumps(msgspec.to_builtins(record)).encode()
    return {RECORD_FILE: told, WEIGHTS_FILE: safetensors.torch.save(weights)}, parameters


def graded(judges: JudgePool, stage: StageFolders, modules: dict[str, str], files: dict[str, bytes]) -> float:
    """Seconds that the model's checks take."""
    job = Job(
        stage=stage.id,
        modules=modules,
        seed=0,
        checks=stage.spec.attached_checks,
        attachments={name: Attached(content) for name, content in files.items()},
        class_secret=b"of the course",
    )
    judges.judge(job)  # a judge that runs already, as in a class
    started = time.perf_counter()
    reply = judges.judge(job)
    if not isinstance(reply, Judged) or not any(check.passed for check in reply.checks):
        sys.exit(f"the model was not measured: {reply}")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
