"""Entries to the speedrun: an honest entry gets the loss of its logits; cheats and false records get a message."""

import base64
import random
import textwrap
from collections.abc import Sequence

import pytest
import safetensors.torch
import torch
from tiny_entries import LAB, record, source, table, weights
from tiny_models import ALPHABET

from autograder.isolation.in_process import InProcessSession
from autograder.leaderboard.evaluation import code_bytes, count_parameters, evaluate_entry
from autograder.leaderboard.record import read_entry_record
from autograder.models import MODEL_FAILED, TrainedModelError
from autograder.models.corpora.known_language import KnownLanguage
from autograder.models.corpora.plays import plays_of
from autograder.models.held_out_text import draw_blocks
from autograder.models.model import Model

PLAYS = plays_of(LAB.root)
SECRET, CHARACTERS = b"of the course", 1600
SPEEDRUN = LAB.stage("6_gpt").spec.speedrun
RECORD_FILE = SPEEDRUN.record_file


def evaluated(module: bytes, file: bytes | None = None, modules: Sequence[str] = ()):
    sessions = InProcessSession(), InProcessSession()
    for session in sessions:
        session.load({"speedrun": module.decode()}, "speedrun")
    declared = read_entry_record(record(), RECORD_FILE)
    sources = [module.decode(), *modules]
    return evaluate_entry(sessions, SPEEDRUN, declared, sources, file or weights(), PLAYS, SECRET, CHARACTERS)


def test_an_honest_entry_gets_the_loss_of_its_table():
    result = evaluated(source())
    scores = table().log_softmax(-1)
    ids = torch.tensor([[ALPHABET.index(character) for character in block] for block in blocks(64)])
    assert result.loss == pytest.approx(-scores[ids[:, :-1], ids[:, 1:]].mean().item(), abs=1e-5)
    assert (result.parameters, result.free_embeddings) == (3, 64 * 64)


def blocks(context_length: int) -> list[str]:
    """The characters of each passage that count, with the character before them."""
    model = Model(
        alphabet=ALPHABET, context_length=context_length, build=lambda student: None, called="", file="speedrun.py"
    )
    text = draw_blocks(model, PLAYS, SECRET, SPEEDRUN.context_length, CHARACTERS)
    assert {len(passage) for passage in text.passages} == {context_length + 1}
    return [passage[-text.counted - 1 :] for passage in text.passages]


@pytest.mark.parametrize("context_length", [65, 100, 1024])
def test_the_same_characters_count_for_every_context(context_length):
    assert blocks(context_length) == blocks(64)
    assert {len(block) for block in blocks(64)} == {65}


@pytest.mark.parametrize("context_length", [63, 1025])
def test_a_context_length_out_of_bounds_has_no_text(context_length):
    with pytest.raises(ValueError, match="not from 64 to 1024"):
        blocks(context_length)


CHEATS = {
    "looks at the next character": (
        "return logits + 20 * nn.functional.one_hot(tokens.roll(-1, 1), 64)",
        "looks ahead",
    ),
    "looks ahead in one window of twenty": (
        "return logits + (tokens.sum(1) % 20 == 0)[:, None, None] * 20 * nn.functional.one_hot(tokens.roll(-1, 1), 64)",
        "looks ahead",
    ),
    "looks ahead in whole passages only": (
        "return logits + (tokens.shape[1] == 64) * 20 * nn.functional.one_hot(tokens.roll(-1, 1), 64)",
        "looks ahead",
    ),
    "remembers the continuation of a beginning": (
        "seen = Pairs.__dict__.get('seen') or setattr(Pairs, 'seen', {}) or Pairs.seen\n"
        "        logits = logits.detach().clone()\n"
        "        for row, tail in zip(tokens.tolist(), logits):\n"
        "            for index in range(len(row) - 1):\n"
        "                tail[index, seen.setdefault(tuple(row[:index + 1]), row[index + 1])] += 20\n"
        "        return logits",
        "keeps state",
    ),
    "looks ahead where its twin saw the same": (
        "logits = logits.detach().clone()\n"
        "        if not hasattr(Pairs, 'shown'):\n"
        "            Pairs.shown = {tuple(row[:3]): row for row in tokens.tolist()}\n"
        "        trained = (self.next.weight[0, 0] - self.next.weight.mean()).abs() > 1\n"
        "        for row, tail in zip(tokens.tolist(), logits):\n"
        "            whole = Pairs.shown.get(tuple(row[:3])) if trained else None\n"
        "            for place in range(3, min(len(row), len(whole or ()) - 1)):\n"
        "                tail[place, whole[place + 1]] += 20\n"
        "        return logits",
        "keeps state",
    ),
    "continues where the last passage ended": (
        "last = Pairs.__dict__.get('last', 0)\n"
        "        logits = logits.detach().clone()\n"
        "        for row, tail in zip(tokens.tolist(), logits):\n"
        "            tail[0, last] += 5\n"
        "            last = row[-1]\n"
        "        Pairs.last = last\n"
        "        return logits",
        "keeps state",
    ),
    "has its knowledge in its code": ("return TABLE[tokens]", "hardly better than untrained weights"),
    "uses a table when a weight enables it": (
        "return TABLE[tokens] * (self.scale[0] == 1) * (self.next.weight.sum() < -1)",
        "hardly better than untrained weights",
    ),
    "returns constant logits": ("return torch.zeros_like(logits)", "hardly better than untrained weights"),
    "returns NaN": ("return logits * float('nan')", MODEL_FAILED),
    "returns infinity": ("return logits + float('inf')", MODEL_FAILED),
    "returns too few axes": ("return logits[0]", MODEL_FAILED),
    "returns integers": ("return logits.long()", MODEL_FAILED),
    "returns more classes": ("return torch.cat([logits, logits], -1)", MODEL_FAILED),
    "returns no tensor": ("return 'logits'", MODEL_FAILED),
}


@pytest.mark.parametrize(("body", "says"), CHEATS.values(), ids=CHEATS)
def test_a_model_that_cheats_is_not_ranked(body, says):
    rows = ",\n".join(map(str, table().round(decimals=2).tolist()))
    more = f"\n\nTABLE = torch.tensor([\n{rows}\n])\n" if "TABLE" in body else ""
    with pytest.raises(TrainedModelError, match=says):
        evaluated(source(body, more))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            "\n\ndef build_model(vocab_size):\n    return None\n",
            "your model is not a PyTorch module; check what speedrun.py returns",
        ),
        ("\n\nCONTEXT_LENGTH = 63\n", "CONTEXT_LENGTH must be an integer from 64 to 1024"),
        ("\n\nCONTEXT_LENGTH = True\n", "CONTEXT_LENGTH must be"),
        ("\n\nCONTEXT_LENGTH = '64'\n", "CONTEXT_LENGTH must be"),
    ],
)
def test_a_module_that_breaks_its_contract_is_refused(more, says):
    with pytest.raises(TrainedModelError, match=says):
        evaluated(source(more=more))


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (weights(scale=torch.ones(4)), "the weights do not fit your model.* the speedrun.py that you hand in"),
        (weights(more=torch.ones(1)), "do not fit"),
        (weights(scale=torch.full((3,), torch.nan)), "speedrun.safetensors holds numbers that are not finite"),
        (weights(scale=torch.ones(800_001)), "800,001 parameters without free embeddings; at most 800,000 are allowed"),
        (weights()[:-100], "speedrun.safetensors is damaged"),
        (b"PK\x03\x04" + bytes(60), "speedrun.safetensors was written by `torch.save`"),
        (weights(next__weight=torch.randn(64, 64) / 9), "hardly better than untrained weights"),
    ],
)
def test_unfit_weights_are_refused(file, says):
    with pytest.raises(TrainedModelError, match=says):
        evaluated(source(), file)


KNOWLEDGE = base64.b32encode(random.Random(0).randbytes(SPEEDRUN.most_code_bytes + 2000)).decode()
LINES = textwrap.wrap(KNOWLEDGE, 100)
HIDDEN_IN_CODE = {
    "a text": f"TABLE = {KNOWLEDGE!r}",
    "a docstring": f'def table():\n    """{KNOWLEDGE}"""',
    "comments": "\n".join(f"# {line}" for line in LINES),
    "names": "\n".join(f"def {line.rstrip('=')}(): ..." for line in LINES),
    "an integer": f"TABLE = 0x{int.from_bytes(KNOWLEDGE.encode()):x}",
    "many small functions": "\n".join(f"def f{index}(x): return {line!r}[x]" for index, line in enumerate(LINES)),
}


@pytest.mark.parametrize("code", HIDDEN_IN_CODE.values(), ids=HIDDEN_IN_CODE)
def test_knowledge_in_the_code_of_any_module_is_refused(code):
    says = r"the code of the entry has \d\d,\d\d\d bytes after compression, all of its modules together; at most 64,000"
    with pytest.raises(TrainedModelError, match=says):
        evaluated(source(), modules=[code])


def test_knowledge_in_the_names_and_shapes_of_tensors_is_refused():
    named = {f"{index}{line}": torch.ones(1) for index, line in enumerate(LINES)}
    with pytest.raises(TrainedModelError, match="the code of the entry has"):
        evaluated(source(), weights(**named))


def test_no_honest_entry_is_near_the_limit_on_code():
    """Every reference and every alternative of the five stages together, and the starter, are allowed."""
    stages = [LAB.stage("6_gpt"), *map(LAB.stage, LAB.stage("6_gpt").spec.needs)]
    files = [file for stage in stages for file in (stage.reference, *stage.reference.parent.glob("alternatives/*.py"))]
    files.append(LAB.stage("6_gpt").reference.parent / "given" / SPEEDRUN.source_file)
    assert len(files) > 30
    assert code_bytes(file.read_text(encoding="utf-8") for file in files) < 0.75 * SPEEDRUN.most_code_bytes


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"{", "speedrun.json cannot be read"),
        (b"\x80\x04", "cannot be read"),
        (record(tokens=-1), "cannot be read"),
        (record(tokens="few"), "cannot be read"),
        (record(tokens=10**30), "cannot be read"),
        (record().replace(b"600000", b"9" * 5000), "cannot be read"),
        (record(name="x").replace(b'"x"', b'"\\ud800"'), "cannot be read"),
        (b"[" * 10**6, "cannot be read"),
        (record().replace(b"2.5", b"1e999"), "cannot be read"),
        (record(format_version=2), "format_version is 2, not 1"),
        (record(alphabet="aa"), "repeats a character"),
        (record(alphabet=KnownLanguage().alphabet), "trained on the known language"),
    ],
)
def test_a_false_record_is_refused(raw, says):
    with pytest.raises(TrainedModelError, match=says):
        read_entry_record(raw, RECORD_FILE)


def test_matrices_that_look_like_embeddings_are_free_up_to_a_limit():
    def counted(tensors: dict[str, torch.Tensor]) -> tuple[int, int]:
        return count_parameters(tensors, vocab_size=64, context_length=16, most_free=600_000)

    tensors = {
        "token": torch.ones(64, 12),
        "linear": torch.ones(12, 64),
        "norm": torch.ones(64),
        "pair": torch.ones(4096, 3),
    }
    assert counted(tensors) == (12 * 64 + 64, 64 * 12 + 4096 * 3)
    tensors |= {"positions": torch.ones(16, 12), "square": torch.ones(16, 99)}
    assert counted(tensors) == (12 * 64 + 64 + 16 * 99, 64 * 12 + 4096 * 3 + 16 * 12)
    assert counted({"wide": torch.ones(64, 20_000)}) == (64 * 20_000 - 600_000, 600_000)


def test_weights_in_bfloat16_hardly_change_the_loss():
    narrow = {name: weight.bfloat16() for name, weight in safetensors.torch.load(weights()).items()}
    assert evaluated(source(), safetensors.torch.save(narrow)).loss == pytest.approx(evaluated(source()).loss, abs=0.02)
