"""A small class made by hand: every outcome, a named mistake, stand-ins, an ungraded stage."""

from autograder.base.results import CheckResult, IsolationLevel, Outcome, StageReport
from autograder.course.config import Config, Exercise, Stage

KERNELS = "1_kernels"
ATTENTION = "2_attention"
CONFIG = Config(
    format_version=1,
    course="Transformers and modern LLMs",
    stages={
        KERNELS: Stage(
            title="The regression that attention grew from",
            module="kernels",
            exercises={
                "gaussian": Exercise(
                    checks={"test_gaussian_integrates_to_one": 2, "test_gaussian_is_even": 1},
                ),
                "nadaraya_watson": Exercise(
                    checks={"test_average_is_weighted": 3, "test_rows_sum_to_one": 2},
                ),
            },
        ),
        ATTENTION: Stage(
            title="The average learns where to look",
            module="attention",
            needs=(KERNELS,),
            exercises={
                "softmax": Exercise(
                    checks={"test_slices_sum_to_one": 2, "test_large_logits_stay_finite": 2},
                ),
                "scaled_dot_product_attention": Exercise(
                    checks={"test_scores_are_scaled": 3, "test_masked_keys_get_no_weight": 3},
                ),
                "blockwise_attention": Exercise(
                    bonus=True,
                    checks={"test_blocks_change_nothing": 4},
                ),
            },
        ),
    },
)

EXERCISE_TITLES = {
    KERNELS: {"gaussian": "Kernel profiles", "nadaraya_watson": "A kernel-weighted average"},
    ATTENTION: {
        "softmax": "A stable softmax",
        "scaled_dot_product_attention": "Attention",
        "blockwise_attention": "Attention in blocks",
    },
}

SOURCE = '''\
"""Attention: an average that learns where to look."""

import math

import torch
from torch import Tensor


def softmax(x: Tensor, dim: int = -1) -> Tensor:
    """Positive weights that sum to one along `dim`."""
    exps = torch.exp(x - x.max())  # one maximum for all rows
    return exps / exps.sum(dim, keepdim=True)


def scaled_dot_product_attention(query, key, value, mask=None, scale=None):
    """Average the values, weighted by how well each query matches each key."""
    scores = query @ key.transpose(-2, -1)
    if mask is not None:
        scores = scores.masked_fill(~mask, -1e4)
    weights = softmax(scores, dim=-1)
    return weights @ value, weights


def blockwise_attention(query, key, value, block_size, mask=None):
    raise NotImplementedError("blockwise_attention")
'''

SCALE_SENTENCE = "your output is what you get when the scores are not divided by √d_head"

WRONG = {
    "test_large_logits_stay_finite": {
        "outcome": Outcome.FAILED,
        "what": "the result holds NaN or infinity",
        "where": "attention.py, line 11, softmax",
        "hint": "which maximum does each row need? `x.max()` is one number for all of them",
    },
    "test_scores_are_scaled": {
        "outcome": Outcome.FAILED,
        "what": SCALE_SENTENCE,
        "where": "attention.py, line 17, scaled_dot_product_attention",
        "hint": "how does the spread of qᵀk grow with d?",
        "mistake": "scores_unscaled",
    },
    "test_masked_keys_get_no_weight": {
        "outcome": Outcome.TIMEOUT,
        "what": "your code exceeded its time limit",
        "where": "attention.py, line 15, scaled_dot_product_attention",
        "hint": "no loop is needed: a mask is filled in at once",
    },
    "test_blocks_change_nothing": {
        "outcome": Outcome.NOT_ATTEMPTED,
        "what": "not attempted yet",
        "where": "attention.py, line 25, blockwise_attention",
    },
}

TITLES = {
    "test_gaussian_integrates_to_one": "the profile integrates to one",
    "test_gaussian_is_even": "the profile is even",
    "test_average_is_weighted": "near points weigh more",
    "test_rows_sum_to_one": "each query's weights sum to one",
    "test_slices_sum_to_one": "every slice sums to one",
    "test_large_logits_stay_finite": "huge logits give finite weights",
    "test_scores_are_scaled": "scores are scaled by the head size",
    "test_masked_keys_get_no_weight": "masked keys get no weight",
    "test_blocks_change_nothing": "blocks of any size give the same output",
}

# Stage and check → file and line of the hidden test: for instructors alone.
LOCATIONS = {
    (stage, check): f"tests/hidden/{stage}/test_{CONFIG.stages[stage].module}.py:{line}"
    for stage in CONFIG.stages
    for line, check in enumerate(CONFIG.stages[stage].check_ids, 7)
}


def make_report(
    student: str,
    stage: str = ATTENTION,
    wrong: dict[str, dict[str, object]] | None = None,
    *,
    isolation: IsolationLevel | None = IsolationLevel.KERNEL,
    **more: object,
) -> StageReport:
    """A report in which every check passed except those of ``wrong``, given as check → fields that differ."""
    checks = [
        CheckResult(
            **{
                "id": check.id,
                "title": TITLES[check.id],
                "exercise": check.exercise,
                "outcome": Outcome.PASSED,
                "points": check.points,
                "bonus": CONFIG.stages[stage].exercises[check.exercise].bonus,
                "seconds": 0.25,
                **(wrong or {}).get(check.id, {}),
            }
        )
        for check in CONFIG.stages[stage].checks
    ]
    return StageReport(
        student=student,
        stage=stage,
        checks=tuple(checks),
        isolation=isolation,
        digest=f"sha256-of-{student}",
        **more,
    )


def all_alike(
    student: str, stage: str, outcome: Outcome, what: str, where: str = "", hint: str = "", **more: object
) -> StageReport:
    """A report whose checks all ended the same way, as when a file was refused; no code ran."""
    fields = {"outcome": outcome, "what": what, "where": where, "hint": hint}
    return make_report(student, stage, dict.fromkeys(CONFIG.stages[stage].check_ids, fields), isolation=None, **more)


def unreadable(student: str, stage: str) -> StageReport:
    """A report that waits for a person, because a file could not be read."""
    why = f"{student}.7z is not a supported archive; hand in a .zip or .tar.gz"
    return all_alike(student, stage, Outcome.NOT_GRADED, why, f"{student}.7z", not_graded=why)


SECRETS = ("5ecret", "51.5", "sha256-of", *CONFIG.stages[ATTENTION].check_ids)


def report_with_secrets() -> StageReport:
    """A report in which ``SECRETS`` lists every text that students must not see."""
    fields = {"id": "5ecret", "mistake": "5ecret", "seconds": 51.51}
    wrong = {check: {**shown, **fields} for check, shown in WRONG.items()}
    return make_report("ada", ATTENTION, wrong, notes=("5ecret",))


def sample_class() -> list[StageReport]:
    """Five students, both stages: half right, all right, not loading, nothing handed in, a grader error.

    The first stage was requested by name, so it counts 0 for the student who has not begun it.
    """
    grader = {"outcome": Outcome.GRADER_ERROR, "what": "the grader failed, not your code; no points were deducted"}
    only_scale = {"test_scores_are_scaled": WRONG["test_scores_are_scaled"]}
    broken = ("kernels.py cannot be loaded: it raised SyntaxError", "kernels.py, line 3")
    return [
        make_report("ada", KERNELS),
        make_report("ada", ATTENTION, WRONG, stand_ins=("kernels",)),
        make_report("bo", KERNELS),
        make_report("bo", ATTENTION),
        all_alike("cy", KERNELS, Outcome.BLOCKED, *broken),
        make_report("cy", ATTENTION, only_scale),
        all_alike("dee", KERNELS, Outcome.NOT_ATTEMPTED, "nothing was handed in", begun=False, owed=True),
        all_alike("dee", ATTENTION, Outcome.NOT_ATTEMPTED, "nothing was handed in", begun=False),
        make_report("eve", KERNELS, {"test_rows_sum_to_one": {"outcome": Outcome.FAILED, "what": "wrong values"}}),
        make_report("eve", ATTENTION, {**only_scale, "test_slices_sum_to_one": grader}),
    ]
