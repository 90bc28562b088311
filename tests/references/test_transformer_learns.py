"""Stage 5's reference learns: dates letter by letter, then English to French, by its own loss, rate and decoding.

Steps are counted, not seconds, and one seed is used throughout, so the same run is made on every machine.
"""

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from autograder.lab import Lab

LAB = Lab.find(Path(__file__).parent)
PAD, START, END = 0, 1, 2


@pytest.fixture(scope="module")
def transformer():
    """The reference, with those of earlier stages under the names that it imports."""
    with pytest.MonkeyPatch.context() as patch:
        for stage in ("2_attention", "3_multihead", "4_positions"):
            found = SimpleNamespace(**runpy.run_path(str(LAB.stage(stage).reference)))
            patch.setitem(sys.modules, LAB.stage(stage).stage.module, found)
        return SimpleNamespace(**runpy.run_path(str(LAB.stage("5_transformer").reference)))


@pytest.fixture(autouse=True)
def one_thread():
    """Small matrices are slower on several threads, and much slower where others work too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def read_table(name, part, split_source, split_target):
    lines = (LAB.root / "data" / name / f"{part}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    pairs = (line.split("\t") for line in lines)
    return [(split_source(source), [*split_target(target), "<end>"]) for source, target in pairs]


def as_numbers(sentences, numbers):
    rows = [torch.tensor([numbers[word] for word in sentence]) for sentence in sentences]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)


def numbered(known, unseen):
    """Both tables as tensors of sources and targets, and the sizes of the vocabularies."""
    tables, sizes = [], []
    for side in (0, 1):
        words = {word for pair in known for word in pair[side]} - {"<end>"}
        numbers = {word: number for number, word in enumerate(["<pad>", "<start>", "<end>", *sorted(words)])}
        sizes.append(len(numbers))
        tables.append([as_numbers([pair[side] for pair in pairs], numbers) for pairs in (known, unseen)])
    (known_source, unseen_source), (known_target, unseen_target) = tables
    return (known_source, known_target), (unseen_source, unseen_target), sizes


def trained(transformer, known, sizes, *, d_model, d_hidden, longest, steps, smoothing):
    torch.manual_seed(0)
    model = transformer.Transformer(*sizes, d_model, 4, 2, d_hidden, max_length=longest)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_uniform_(parameter)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), eps=1e-9)
    for step in range(1, steps + 1):
        chosen = torch.randint(len(known[0]), (64,))
        source, target = (side[chosen] for side in known)
        cool_down = min(1.0, 3 * (1 - step / steps))
        optimizer.param_groups[0]["lr"] = 0.5 * cool_down * transformer.warmup_rate(step, d_model, 100)
        logits = model(source, transformer.shift_right(target, START))
        loss = transformer.label_smoothed_loss(logits, target, smoothing, PAD)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


def share_right(transformer, model, unseen, longest):
    """The share of sources whose whole target is written right, end and padding included."""
    source, target = unseen
    written = transformer.greedy_decode(model, source, START, END, longest - 1)
    width = max(written.shape[1], target.shape[1])
    written, target = (nn.functional.pad(side, (0, width - side.shape[1]), value=PAD) for side in (written, target))
    return (written == target).all(dim=1).double().mean().item()


def learns(transformer, name, split_source, split_target, **options):
    known, unseen, sizes = numbered(
        read_table(name, "train", split_source, split_target), read_table(name, "unseen", split_source, split_target)
    )
    longest = 1 + max(side.shape[1] for side in (*known, *unseen))
    model = trained(transformer, known, sizes, longest=longest, **options)
    return share_right(transformer, model, unseen, longest)


def test_dates_are_learnt(transformer):
    share = learns(transformer, "dates", list, list, d_model=64, d_hidden=128, steps=350, smoothing=0.0)
    assert share >= 0.95


def test_french_is_learnt(transformer):
    share = learns(
        transformer,
        "translation",
        lambda english: english.replace("'s", " 's").split(),
        lambda french: french.replace("'", "' ").split(),
        d_model=96,
        d_hidden=256,
        steps=450,
        smoothing=0.1,
    )
    assert share >= 0.95


def test_no_sentence_is_in_both_files():
    for name in ("dates", "translation"):
        known, unseen = (read_table(name, part, str.split, str.split) for part in ("train", "unseen"))
        sources = [" ".join(source) for source, _ in (*known, *unseen)]
        assert len(set(sources)) == len(sources)
