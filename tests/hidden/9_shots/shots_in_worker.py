"""Models, tasks and measures for the student's functions, in the process of the student's code.

The source of this file is sent to that process, so it imports nothing from the course.
"""

from types import SimpleNamespace

import torch
from torch import nn


class Reader(nn.Module):
    """A small language model: a matrix times the mean of all embeddings so far, each with its position."""

    def __init__(self, embedding, position, output):
        super().__init__()
        self.config = SimpleNamespace(vocab_size=len(embedding), context_length=len(position))
        self.token_embedding = nn.Embedding.from_pretrained(embedding)
        self.position_embedding = nn.Embedding.from_pretrained(position)
        self.output = nn.Parameter(output)

    def forward(self, tokens):
        _, length = tokens.shape
        if length > self.config.context_length:
            raise ValueError("more tokens than the context has")
        positions = torch.arange(length)
        x = self.token_embedding(tokens) + self.position_embedding(positions)
        return torch.tanh(x.cumsum(dim=1) / (positions + 1).unsqueeze(-1)) @ self.output


def reader(embedding, position, output):
    """Create a reader with these parameters."""
    return Reader(embedding, position, output)


def gpt_of(sizes, seed):
    """Create a GPT of stage 6 in float64, with weights large enough for clear preferences."""
    import gpt

    torch.manual_seed(seed)
    config = gpt.GPTConfig(*sizes, init_std=0.7)
    model = gpt.GPT(config).double().eval()
    if not hasattr(model, "config"):
        model.config = config
    return model


def scores(function, model, context, continuations):
    """Return the log-probability of each continuation as a float."""
    return [float(function(model, context, continuation)) for continuation in continuations]


def step_by_step(model, context, continuation):
    """Return the log-probability of a continuation, with one pass for each token."""
    total, read = 0.0, context.tolist()
    with torch.no_grad():
        for token in continuation.tolist():
            total += model(torch.tensor([read]))[0, -1].log_softmax(dim=-1)[token].item()
            read.append(token)
    return total


def is_float(function, model, context, continuations):
    """Return for each continuation whether its log-probability is a Python float."""
    return [isinstance(function(model, context, continuation), float) for continuation in continuations]


# --- shots -----------------------------------------------------------------------------------------------------------


def selections(select_shots, pool, count, exclude, options, seeds):
    """Return for each seed the indices of the selected shots in the pool; -1 for what is not in the pool.

    No two pairs of the pool are equal.
    """
    index = {pair: number for number, pair in enumerate(pool)}
    found = []
    for seed in seeds:
        shots = select_shots(list(pool), count, torch.Generator().manual_seed(seed), exclude, **options)
        found.append([index.get(tuple(shot), -1) for shot in shots])
    return found


def selections_of_one_generator(select_shots, pool, count, exclude, options, seed, number):
    """Return indices as `selections`, drawn one after the other from one generator."""
    index = {pair: number for number, pair in enumerate(pool)}
    generator = torch.Generator().manual_seed(seed)
    drawn = [select_shots(list(pool), count, generator, exclude, **options) for _ in range(number)]
    return [[index.get(tuple(shot), -1) for shot in shots] for shots in drawn]


def changes_global_generator(select_shots, pool, count, exclude, seed):
    """Return whether a draw from a generator changes PyTorch's global generator."""
    before = torch.get_rng_state()
    select_shots(list(pool), count, torch.Generator().manual_seed(seed), exclude)
    return not torch.equal(torch.get_rng_state(), before)


def select_twice(select_shots, pool, count, exclude, seed):
    """Draw twice without a generator, and the first time again from the same global seed."""
    torch.manual_seed(seed)
    first, second = (select_shots(list(pool), count, None, exclude) for _ in range(2))
    torch.manual_seed(seed)
    again = select_shots(list(pool), count, None, exclude)
    return [[list(shot) for shot in shots] for shots in (first, second, again)]


def selection_or_error(select_shots, pool, count, exclude, seed):
    """Return the balanced selection as pairs, or None if it raises ValueError."""
    try:
        shots = select_shots(list(pool), count, torch.Generator().manual_seed(seed), exclude, balanced=True)
    except ValueError:
        return None
    return [list(shot) for shot in shots]


def pool_after(select_shots, pool, count, exclude, balanced):
    """Return the pool after a selection."""
    pool = list(pool)
    select_shots(pool, count, torch.Generator().manual_seed(1), exclude, balanced)
    return [list(shot) for shot in pool]


# --- the context -----------------------------------------------------------------------------------------------------


def letters(shots, query):
    """Measure a prompt with two letters between its parts."""
    return sum(len(x) + len(y) + 2 for x, y in shots) + len(query)


def words(shots, query):
    """Measure a prompt that writes each different word once: not a sum over shots."""
    return len({word for shot in shots for word in shot} | {query})


def doubled(shots, query):
    """Measure a prompt whose length grows with the square of the number of shots."""
    return len(shots) ** 2 + len(query)


MEASURES = {"letters": letters, "words": words, "doubled": doubled}


def fit(fit_to_context, shots, query, measure, max_length):
    """Return the shots that are kept, as pairs."""
    kept = fit_to_context(list(shots), query, MEASURES[measure], max_length)
    return [list(shot) for shot in kept]


def shots_after_fit(fit_to_context, shots, query, measure, max_length):
    """Return the caller's shots after the call."""
    shots = list(shots)
    fit_to_context(shots, query, MEASURES[measure], max_length)
    return [list(shot) for shot in shots]


# --- curves ----------------------------------------------------------------------------------------------------------


class Named(nn.Module):
    """A model that expects the first token of its context everywhere. Records its modes and those of autograd.

    In training mode it expects any other token: dropout spoils a model less, but not in the same way each time.
    """

    def __init__(self, vocab, *, training, fails_at=-1):
        super().__init__()
        self.config = SimpleNamespace(vocab_size=vocab, context_length=32)
        self.position_embedding = nn.Embedding(32, 1)
        self.strength = nn.Parameter(torch.tensor(6.0, dtype=torch.float64))
        self.dropout = nn.Dropout(0.5)
        self.graphs, self.modes, self.passes, self.fails_at = [], [], 0, fails_at
        self.train(training)

    def forward(self, tokens):
        self.passes += 1
        if self.passes == self.fails_at:
            raise KeyError("the model fails")
        self.graphs.append(torch.is_grad_enabled())
        self.modes.append(self.training)
        named = nn.functional.one_hot(tokens[:, :1], self.config.vocab_size).double()
        strength = -self.strength if self.training else self.strength
        return strength * named.expand(*tokens.shape, -1)


class Scripted:
    """A task whose trials are right or wrong by a script: shots → list of bools. Records its calls."""

    def __init__(self, script, vocab, fails_at=-1):
        self.script, self.vocab, self.fails_at = script, vocab, fails_at
        self.calls, self.drawn = [], {shots: 0 for shots in script}

    def __call__(self, shots, generator):
        self.calls.append((shots, generator))
        if len(self.calls) == self.fails_at:
            raise KeyError("the task fails")
        number = self.drawn[shots]
        self.drawn[shots] += 1
        right = number % self.vocab
        named = right if self.script[shots][number % len(self.script[shots])] else (right + 1) % self.vocab
        context = torch.tensor([named] + [(right + 2) % self.vocab] * (1 + shots))
        return context, [torch.tensor([token]) for token in range(self.vocab)], right


def pairs_of(curve):
    """Return the curve as rows of shots, mean and standard error, in increasing order of shots."""
    return [[int(shots), *map(float, curve[shots])] for shots in sorted(curve)]


def scripted_curve(few_shot_accuracy, script, vocab, counts, trials, training):
    """Return the curve of a script."""
    model = Named(vocab, training=training)
    return pairs_of(few_shot_accuracy(model, Scripted(script, vocab), counts, trials, torch.Generator()))


def calls_of(few_shot_accuracy, script, vocab, counts, trials):
    """Return how often the task was called with each number of shots, and whether always with the generator."""
    task, generator = Scripted(script, vocab), torch.Generator()
    few_shot_accuracy(Named(vocab, training=False), task, counts, trials, generator)
    numbers = [shots for shots, _ in task.calls]
    return [numbers.count(shots) for shots in counts], all(passed is generator for _, passed in task.calls)


class Even(nn.Module):
    """A model that finds all tokens equally likely."""

    def __init__(self, vocab):
        super().__init__()
        self.config = SimpleNamespace(vocab_size=vocab, context_length=32)
        self.position_embedding = nn.Embedding(32, 1)
        self.vocab = vocab

    def forward(self, tokens):
        return torch.zeros(*tokens.shape, self.vocab, dtype=torch.float64)


def accuracy_of_ties(few_shot_accuracy, vocab, trials):
    """Return the accuracy of a model that finds all choices equally likely; each is right equally often."""
    curve = few_shot_accuracy(Even(vocab), Scripted({2: [True]}, vocab), [2], trials, torch.Generator())
    return pairs_of(curve)[0][1]


def accuracy_with_long_choices(few_shot_accuracy, trials):
    """Return the accuracy where the likeliest choice has one token, and others have more likely tokens on average.

    Without a scale, one token costs ln 5, and three tokens cost 3 ln 5 less what the first token gains.
    """

    class Growing(Even):
        def forward(self, tokens):
            logits = torch.zeros(*tokens.shape, self.vocab, dtype=torch.float64)
            logits[..., 4] = 2.0 * (tokens == 4)  # 4 4 4: each 4 makes the next more likely
            return logits

    def task(shots, generator):
        choices = [torch.tensor([4, 4, 4]), torch.tensor([1]), torch.tensor([4, 4])]
        return torch.tensor([0, 2]), choices, 1

    return pairs_of(few_shot_accuracy(Growing(5), task, [0], trials, torch.Generator()))[0][1]


def modes_of(few_shot_accuracy, training):
    """Return what a call leaves behind: modes of the model, of autograd, and whether the model changed."""
    model = Named(4, training=training)
    strength = model.strength.item()
    few_shot_accuracy(model, Scripted({0: [True], 3: [False, True]}, 4), [0, 3], 4, torch.Generator())
    return {
        "mode": model.training,
        "evaluated": not any(model.modes),
        "graphs": any(model.graphs),
        "gradients on": torch.is_grad_enabled(),
        "unchanged": model.strength.item() == strength and model.strength.grad is None,
        "trainable": model.strength.requires_grad,
    }


def mode_after_error(few_shot_accuracy, training, where):
    """Return the mode after an error in the task or the model, and whether the error reached the caller."""
    model = Named(4, training=training, fails_at=5 if where == "model" else -1)
    task = Scripted({1: [True]}, 4, fails_at=3 if where == "task" else -1)
    try:
        few_shot_accuracy(model, task, [1], 6, torch.Generator())
    except KeyError:
        return model.training, True
    return model.training, False


class LookUp(nn.Module):
    """A model that learns from its prompt by construction: it repeats the token that followed its last token before.

    Where its last token is new, it expects the token `guess`.
    """

    def __init__(self, vocab, guess):
        super().__init__()
        self.config = SimpleNamespace(vocab_size=vocab, context_length=64)
        self.position_embedding = nn.Embedding(64, 1)
        self.vocab, self.guess = vocab, guess

    def forward(self, tokens):
        logits = torch.zeros(*tokens.shape, self.vocab, dtype=torch.float64)
        for row, read in enumerate(tokens.tolist()):
            follows = {}
            for index, token in enumerate(read):
                logits[row, index, follows.get(token, self.guess)] = 8.0
                if index + 1 < len(read):
                    follows[token] = read[index + 1]
        return logits


def curve_of_look_up(few_shot_accuracy, keys, answers, counts, trials, seed):
    """Return the curve of the model that looks up, on documents that give each key an answer at random."""

    def mapping(shots, generator):
        drawn = torch.randint(keys, (shots + 1,), generator=generator)
        answer = keys + torch.randint(answers, (keys,), generator=generator)
        document = torch.stack((drawn, answer[drawn]), dim=-1).flatten()
        return document[:-1], [torch.tensor([keys + number]) for number in range(answers)], int(document[-1]) - keys

    model = LookUp(keys + answers, keys)
    return pairs_of(few_shot_accuracy(model, mapping, counts, trials, torch.Generator().manual_seed(seed)))
