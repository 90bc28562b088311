"""Pre-train and fine-tune BERT with your own `bert.py`. You need not change it.

The lab sheet calls these functions. They are plain loops: draw, hide, loss, step.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from bert import Bert, BertConfig, MaskedLanguageHead, SequenceClassifier, mask_tokens, masked_language_loss
from bert_words import MASK, MAX_LENGTH, PAD, SPECIAL_IDS, shortened
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional


def new_model(vocab_size: int) -> tuple[Bert, MaskedLanguageHead]:
    """Make the model of the lab sheet: 64 features, 4 heads, 2 blocks."""
    bert = Bert(BertConfig(vocab_size, MAX_LENGTH, d_model=64, num_heads=4, num_blocks=2, d_hidden=256))
    head = MaskedLanguageHead(bert.embeddings.token)
    initialise(bert)
    initialise(head)
    return bert, head


def pre_trained(vocab_size: int) -> tuple[Bert, MaskedLanguageHead]:
    """Make the same model with the weights beside this file, which `pre_train` made."""
    bert, head = new_model(vocab_size)
    weights = load_file(Path(__file__).parent / "bert.safetensors")
    for part, module in (("bert.", bert), ("head.", head)):
        own = {name.removeprefix(part): tensor for name, tensor in weights.items() if name.startswith(part)}
        module.load_state_dict(own, strict=False)  # a head may list the embedding that it shares
    return bert, head


def initialise(model: nn.Module) -> None:
    """Start all matrices with standard deviation 0.02, and biases with 0 (Devlin et al. 2019, the authors' code)."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


def warm_up_and_cool_down(step: int, warmup: int, total: int) -> float:
    """Return the share of the learning rate at a step: a line up, then half a cosine down to 5 %."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.05 + 0.95 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2


def learn(
    parameters: list[nn.Parameter], losses: Iterator[Tensor], rate: float, warmup: int, total: int
) -> Iterator[float]:
    """Take one AdamW step for each loss that `losses` computes, and yield the losses as floats."""
    optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warm_up_and_cool_down(step, warmup, total))
    for loss in losses:
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        yield loss.item()


def parameters_of(*modules: nn.Module) -> list[nn.Parameter]:
    """Return the parameters of all modules, those that are shared once."""
    return list(dict.fromkeys(parameter for module in modules for parameter in module.parameters()))


def pre_train(
    bert: Bert,
    head: MaskedLanguageHead,
    tokens: Tensor,
    generator: torch.Generator,
    steps: int = 1600,
    batch_size: int = 64,
    rate: float = 0.3,
) -> Iterator[float]:
    """Learn to fill masks; take one step for each loss that is read.

    Args:
        bert: the model.
        head: its head.
        tokens: token ids `(sentences, length)`, padded.
        generator: draws sentences and masks.
        steps: number of steps.
        batch_size: sentences for each step.
        rate: the share of words that are chosen. The paper has 0.15; more of them teach a small model faster.
    """

    def losses() -> Iterator[Tensor]:
        for _ in range(steps):
            batch = shortened(tokens[torch.randint(len(tokens), (batch_size,), generator=generator)])
            inputs, labels = mask_tokens(batch, len(head.bias), MASK, SPECIAL_IDS, generator, rate)
            hidden, _ = bert(inputs, mask=batch != PAD)
            chosen = labels != -100  # the other positions need no logits
            yield masked_language_loss(head(hidden[chosen].unsqueeze(0)), labels[chosen].unsqueeze(0))

    return learn(parameters_of(bert, head), losses(), rate=6e-3, warmup=50, total=steps)


@torch.no_grad()
def masked_accuracy(predict: Callable[[Tensor], Tensor], tokens: Tensor, repeats: int = 5) -> float:
    """Return the share of hidden words that are predicted exactly.

    15 % of the words of each sentence are hidden, all behind `[MASK]`; each sentence is read `repeats` times.

    Args:
        predict: tokens `(batch, length)` → the most likely token at each position.
        tokens: token ids `(sentences, length)`, padded.
        repeats: number of times that each sentence is read, each time with other words hidden.
    """
    generator = torch.Generator().manual_seed(0)
    right = total = 0
    for _ in range(repeats):
        words = ~torch.isin(tokens, torch.tensor(SPECIAL_IDS))
        hidden = words & (torch.rand(tokens.shape, generator=generator) < 0.15)
        found = predict(tokens.masked_fill(hidden, MASK))
        right += int((found == tokens)[hidden].sum())
        total += int(hidden.sum())
    return right / total


def most_likely(bert: Bert, head: MaskedLanguageHead) -> Callable[[Tensor], Tensor]:
    """Return the model's predictions, in the form that `masked_accuracy` takes."""

    def predict(tokens: Tensor) -> Tensor:
        hidden, _ = bert(tokens, mask=tokens != PAD)
        return head(hidden).argmax(dim=-1)

    return predict


def fine_tune(
    classifier: SequenceClassifier,
    tokens: Tensor,
    classes: Tensor,
    generator: torch.Generator,
    steps: int = 200,
    batch_size: int = 32,
) -> Iterator[float]:
    """Learn the classes; take one step for each loss that is read."""

    def losses() -> Iterator[Tensor]:
        for _ in range(steps):
            chosen = torch.randint(len(tokens), (batch_size,), generator=generator)
            batch = shortened(tokens[chosen])
            logits = classifier(batch, mask=batch != PAD)
            yield functional.cross_entropy(logits, classes[chosen])

    return learn(list(classifier.parameters()), losses(), rate=1e-3, warmup=20, total=steps)


@torch.no_grad()
def accuracy(classifier: SequenceClassifier, tokens: Tensor, classes: Tensor) -> float:
    """Return the share of sentences whose class is predicted."""
    found = classifier(tokens, mask=tokens != PAD).argmax(dim=-1)
    return (found == classes).float().mean().item()
