"""Compare the reference of stage 9 with Hugging Face, SciPy and exhaustive loops; check what its lab sheet trains."""

import importlib
import itertools
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats
import torch
from safetensors.torch import load_file
from torch import nn
from torch.testing import assert_close

from autograder.course.lab import Lab, needed_stages

LAB = Lab.find(Path(__file__).parent)
STAGE = LAB.stage("9_shots")
GIVEN = STAGE.folder / "given"
SHOTS = (0, 1, 2, 4, 8, 16)


@pytest.fixture(scope="module")
def modules():
    """The reference and the given modules; they import the references of earlier stages."""
    folders = [stage.folder for stage in needed_stages(LAB, STAGE)] + [GIVEN]
    names = ["shots", "in_context", "reading", *(stage.spec.module for stage in needed_stages(LAB, STAGE))]
    with pytest.MonkeyPatch.context() as patch:
        for folder in folders:
            patch.syspath_prepend(str(folder))
        for name in names:
            patch.delitem(sys.modules, name, raising=False)
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
        for name in names:
            sys.modules.pop(name, None)


class HuggingFace(nn.Module):
    """GPT-2 of Hugging Face with random weights, as the stage calls a model."""

    def __init__(self, vocab=13, context=10):
        super().__init__()
        transformers = pytest.importorskip("transformers")
        torch.manual_seed(0)
        config = transformers.GPT2Config(
            vocab_size=vocab,
            n_positions=context,
            n_embd=12,
            n_layer=2,
            n_head=3,
            initializer_range=0.7,
            bos_token_id=None,
            eos_token_id=None,
        )
        self.model = transformers.GPT2LMHeadModel(config).double().eval()
        self.config = SimpleNamespace(context_length=context)

    def forward(self, tokens):
        return self.model(tokens).logits


def test_log_probabilities_are_those_of_hugging_faces_loss(modules):
    model = HuggingFace()
    for length, more in ((1, 1), (3, 5), (9, 1), (1, 9), (4, 2)):
        tokens = torch.randint(13, (length + more,), generator=torch.Generator().manual_seed(length))
        labels = tokens.clone()
        labels[:length] = -100
        with torch.no_grad():
            expected = -model.model(tokens[None], labels=labels[None]).loss * more
        context, continuation = tokens[:length], tokens[length:]
        found = modules.shots.sequence_log_probability(model, context, continuation)
        assert found == pytest.approx(expected.item(), rel=1e-6)  # their loss is computed in float32
        choices = [continuation, continuation[:1]]
        by_tokens = modules.shots.score_choices(model, context, choices, normalize="tokens")
        assert by_tokens[0].item() == pytest.approx(expected.item() / more, rel=1e-5)


def test_every_set_of_shots_is_equally_likely(modules):
    pool = [(number, "abb"[number % 3]) for number in range(7)]
    generator = torch.Generator().manual_seed(0)
    for balanced, count in ((False, 3), (True, 2)):
        sets = Counter(frozenset(modules.shots.select_shots(pool, count, generator, 5, balanced)) for _ in range(6000))
        possible = [
            frozenset(chosen)
            for chosen in itertools.combinations([pair for pair in pool if pair[0] != 5], count)
            if not balanced or {label for _, label in chosen} == {"a", "b"}
        ]
        assert sets.keys() == set(possible)
        assert scipy.stats.chisquare([sets[chosen] for chosen in possible]).pvalue > 1e-6


def test_order_of_the_shots_is_random(modules):
    generator = torch.Generator().manual_seed(0)
    pool = [(number, number % 2) for number in range(4)]
    for balanced in (False, True):
        orders = Counter(tuple(modules.shots.select_shots(pool, 4, generator, None, balanced)) for _ in range(4800))
        assert len(orders) == 24
        assert scipy.stats.chisquare(list(orders.values())).pvalue > 1e-6


def test_fit_keeps_the_longest_end_that_fits(modules):
    measure = lambda shots, query: sum(x for x, _ in shots) + query  # noqa: E731
    for lengths in itertools.product((1, 2, 4), repeat=4):
        shots = [(length, 0) for length in lengths]
        for most in range(1, 13):
            ends = [shots[first:] for first in range(5) if measure(shots[first:], 1) <= most]
            assert modules.shots.fit_to_context(shots, 1, measure, most) == max(ends, key=len)


def test_standard_errors_are_scipys(modules):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(13, 8), nn.Linear(8, 13), nn.Dropout(0.5)).train()
    model.config = SimpleNamespace(context_length=10)
    generator = torch.Generator().manual_seed(3)
    answers = []

    def task(shots, generator):
        tokens = torch.randint(13, (5 + shots,), generator=generator)
        answers.append(int(torch.randint(2, (), generator=generator)))
        return tokens[:-2], [tokens[-2:-1], tokens[-1:]], answers[-1]

    curve = modules.shots.few_shot_accuracy(model, task, [0, 3], 40, generator)
    assert model.training
    again = torch.Generator().manual_seed(3)
    model.eval()
    for shots in (0, 3):
        hits = []
        for _ in range(40):
            context, choices, answer = task(shots, again)
            with torch.no_grad():
                logits = model(context[None])[0, -1]
            hits.append(float(logits[torch.cat(choices)].argmax() == answer))
        assert curve[shots] == pytest.approx((np.mean(hits), scipy.stats.sem(hits)), rel=1e-12)


def test_calibration_is_the_papers_matrix(modules):
    generator = np.random.default_rng(0)
    for count in (2, 5):
        p, empty = generator.dirichlet(np.ones(count), size=2)
        scaled = np.linalg.inv(np.diag(empty)) @ p
        found = modules.shots.contextual_calibration(torch.tensor(p), torch.tensor(empty))
        assert_close(found, torch.tensor(scaled / scaled.sum()), rtol=1e-12, atol=0.0)


def test_induction_scores_of_all_short_strings(modules):
    for length in (2, 3, 4, 5):
        weights = torch.rand(2, length, length, dtype=torch.float64, generator=torch.Generator().manual_seed(length))
        for tokens in itertools.product((0, 1, 2), repeat=length):
            repeated = [place for place in range(length) if tokens[place] in tokens[:place]]
            looked = [(place, place - tokens[:place][::-1].index(tokens[place])) for place in repeated]
            if looked:
                expected = torch.stack([weights[:, place, after] for place, after in looked]).mean(dim=0)
                assert_close(modules.shots.induction_score(weights, torch.tensor(tokens)), expected)


# --- what the lab sheet trains ---------------------------------------------------------------------------------------


def test_the_optimum_is_what_a_perfect_reader_reaches(modules):
    for own_answers in (True, False):
        task = modules.in_context.LabelMapping(keys=3, answers=2, own_answers=own_answers)
        documents = task.documents(20_000, torch.Generator().manual_seed(0), pairs=4).tolist()
        for shots in range(4):
            right = 0.0
            for document in documents:
                known = dict(zip(document[: 2 * shots : 2], document[1 : 2 * shots : 2], strict=True))
                key, answer = document[2 * shots : 2 * shots + 2]
                right += float(known[key] == answer) if key in known else 0.5
            assert right / len(documents) == pytest.approx(task.optimum(shots), abs=0.02)


def test_only_answers_are_targets(modules):
    documents = modules.in_context.LabelMapping().documents(2, torch.Generator().manual_seed(0), pairs=3)
    inputs, targets = modules.in_context.with_targets(documents)
    assert inputs.tolist() == documents[:, :-1].tolist()
    assert targets[:, 0::2].tolist() == documents[:, 1::2].tolist()
    assert (targets[:, 1::2] == -100).all()


def test_exchanged_answers_keep_the_query(modules):
    documents = modules.in_context.LabelMapping().documents(5, torch.Generator().manual_seed(0))
    moved = modules.in_context.with_answers_elsewhere(documents, torch.Generator().manual_seed(1))
    assert moved[:, 0::2].tolist() == documents[:, 0::2].tolist()
    assert moved[:, -2:].tolist() == documents[:, -2:].tolist()
    assert moved.sort().values.tolist() == documents.sort().values.tolist()
    assert moved.tolist() != documents.tolist()


@pytest.mark.parametrize("name", ["own_answers", "shared_answers", "known_relations"])
def test_bundled_models_meet_the_optimum(modules, name):
    task = modules.in_context.MODELS[name][0]
    accuracy = modules.in_context.accuracy_by_shots(modules.in_context.loaded(name), task, count=1500)
    for shots in SHOTS:
        # 0.03 of the target, and three standard errors of 1,500 documents.
        assert accuracy[shots].item() == pytest.approx(task.optimum(shots), abs=0.07)


def test_bundled_files_are_small():
    files = list(GIVEN.glob("*.safetensors"))
    assert len(files) == 4
    assert all(file.stat().st_size < 5_000_000 for file in files)


@pytest.mark.slow
def test_the_recipe_makes_the_bundled_weights(modules):
    model = modules.in_context.new_model("own_answers")
    modules.in_context.train(model, "own_answers")
    bundled = load_file(GIVEN / "own_answers.safetensors")
    for name, tensor in model.state_dict().items():
        assert_close(tensor, bundled[name], rtol=1e-3, atol=1e-3)
