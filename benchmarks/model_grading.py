"""Time to grade a trained model: all of its checks, in an isolated judge, on one core.

    python -m benchmarks.model_grading

The models have the sizes of the trainer's configurations `cpu` and `gpu`, the latter in bfloat16. They have initial
weights, because training does not change the time. The command fails if a time exceeds its limit.
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
from autograder.models.record import FORMAT_VERSION, GPTRecord, Sizes

STAGE = "6_gpt"
# Configuration → dtype of the weights, and the limit in seconds of one core.
CASES = {"cpu": (torch.float32, 10.0), "gpu": (torch.bfloat16, 30.0)}


@click.command()
def main() -> None:
    """Grade a model of each size, print the seconds, and compare them with their limits."""
    lab = Lab.find()
    stage = lab.stage(STAGE)
    recipes = runpy.run_path(str(lab.root / "solutions" / STAGE / "given" / "trainer" / "recipe.py"))["CONFIGS"]
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the judge and its workers inherit it
    table = Table("configuration", "parameters", "weights", "seconds", "limit")
    late = False
    with JudgePool(lab.root, size=1) as judges:
        for name, (dtype, limit) in CASES.items():
            files, parameters = untrained(lab, stage, recipes[name], dtype)
            seconds = graded(judges, stage, reference_modules(lab, stage), files)
            late |= seconds > limit
            table.add_row(name, f"{parameters:,}", str(dtype), f"{seconds:.1f}", f"{limit:.0f}")
    Console().print(table)
    sys.exit(late)


def reference_modules(lab: Lab, stage: StageFolders) -> dict[str, str]:
    """Return the reference and the references that it imports, by module."""
    return {needed.spec.module: needed.reference_source() for needed in needed_stages(lab, stage)}


def untrained(lab: Lab, stage: StageFolders, recipe: object, dtype: torch.dtype) -> tuple[dict[str, bytes], int]:
    """Return the files to hand in of a recipe, with its initial weights, and the number of parameters."""
    alphabet = "".join(sorted(set((lab.root / "data" / "shakespeare" / "train.txt").read_text(encoding="utf-8"))))
    sizes = Sizes(
        vocab_size=len(alphabet),
        **{name: getattr(recipe, name) for name in Sizes.__struct_fields__ if name != "vocab_size"},
    )
    session = InProcessSession()
    session.load(reference_modules(lab, stage), stage.spec.module)
    built = gpt_of(GPTRecord(format_version=FORMAT_VERSION, config=sizes, alphabet=alphabet, parameters=0)).build(
        Student(session)
    )
    weights = {name: weight.to(dtype).clone() for name, weight in built.state_dict().items()}
    parameters = sum(weight.numel() for weight in weights.values())
    record = GPTRecord(format_version=FORMAT_VERSION, config=sizes, alphabet=alphabet, parameters=parameters)
    content = json.dumps(msgspec.to_builtins(record)).encode()
    return {RECORD_FILE: content, WEIGHTS_FILE: safetensors.torch.save(weights)}, parameters


def graded(judges: JudgePool, stage: StageFolders, modules: dict[str, str], files: dict[str, bytes]) -> float:
    """Return the seconds that the model's checks take."""
    job = Job(
        stage=stage.id,
        modules=modules,
        seed=0,
        checks=stage.spec.attached_checks,
        attachments={name: Attached(content) for name, content in files.items()},
        class_secret=b"of the course",
    )
    judges.judge(job)  # warm up the judge, as in a class
    started = time.perf_counter()
    reply = judges.judge(job)
    if not isinstance(reply, Judged) or not any(check.passed for check in reply.checks):
        sys.exit(f"the model was not evaluated: {reply}")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
