"""Public tests: small cases computed by hand. Change them and add your own."""

import math

import gpt
import pytest
import torch
from torch import nn

ALMOST_ALL = 1 - 1e-6  # a dropout that leaves nothing in a small test, and does not divide by zero


def close(actual, expected, tolerance=1e-5):
    actual = torch.as_tensor(actual)
    return torch.allclose(actual, torch.as_tensor(expected, dtype=actual.dtype), atol=tolerance)


def tiny(**options):
    """Create a GPT with 5 tokens, a context of 6 and two blocks."""
    torch.manual_seed(0)
    return gpt.GPT(gpt.GPTConfig(5, 6, 8, 2, 2, 16, **options))


TOKENS = torch.tensor([[3, 0, 4, 1], [2, 2, 0, 3]])


def test_cross_entropy_of_a_guess():
    loss = gpt.cross_entropy(torch.zeros(2, 3, 4), torch.tensor([[0, 1, 2], [3, 0, 1]]))
    assert close(loss, math.log(4)), "four equally likely tokens: the surprise of each is ln 4"


def test_cross_entropy_by_hand():
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])  # 3 : 1 and 1 : 1
    loss = gpt.cross_entropy(logits, torch.tensor([0, 1]))
    assert close(loss, (math.log(4 / 3) + math.log(2)) / 2), "the mean of -ln 3/4 and -ln 1/2"


def test_cross_entropy_ignores():
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])
    loss = gpt.cross_entropy(logits, torch.tensor([0, -100]))
    assert close(loss, math.log(4 / 3)), "the second target counts neither in the sum nor in the number of targets"
    assert close(gpt.cross_entropy(logits, torch.tensor([0, 1]), ignore_index=1), math.log(4 / 3)), (
        "`ignore_index` names the target that does not count"
    )
    logits.requires_grad_()
    nothing = gpt.cross_entropy(logits, torch.tensor([-100, -100]))
    nothing.backward()
    assert close(nothing.detach(), 0.0), "when no target counts, the loss is 0"
    assert close(logits.grad, torch.zeros(2, 2)), "when no target counts, the gradient is 0"


def test_cross_entropy_of_large_logits():
    loss = gpt.cross_entropy(torch.tensor([[1000.0, 0.0]]), torch.tensor([1]))
    assert close(loss, 1000.0), "no exponential may overflow, and no logarithm may be taken of zero"


def test_sample_batch():
    text = torch.tensor([7, 1, 9, 4, 8, 2], dtype=torch.uint8)
    inputs, targets = gpt.sample_batch(text, 30, 3, torch.Generator().manual_seed(0))
    assert inputs.shape == targets.shape == (30, 3), "one row per window"
    assert inputs.dtype == targets.dtype == torch.int64, "an embedding needs int64"
    rows = zip(inputs.tolist(), targets.tolist(), strict=True)
    pairs = {(tuple(window), tuple(following)) for window, following in rows}
    windows = {((7, 1, 9), (1, 9, 4)), ((1, 9, 4), (9, 4, 8)), ((9, 4, 8), (4, 8, 2))}
    assert pairs <= windows, "a target is the token after its input in the text"
    assert pairs == windows, "each of the three windows is drawn, the last window too"
    torch.manual_seed(1)
    again, _ = gpt.sample_batch(text, 30, 3, torch.Generator().manual_seed(0))
    assert torch.equal(again, inputs), "the windows are drawn with `generator`, so the same seed draws the same windows"


def test_sample_batch_refuses_a_short_text():
    with pytest.raises(ValueError):
        gpt.sample_batch(torch.arange(3), 2, 3, torch.Generator())


def test_gpt_shape():
    assert tiny()(TOKENS).shape == (2, 4, 5), "each position gets a row of logits over the vocabulary"


def test_gpt_first_loss():
    loss = gpt.cross_entropy(tiny()(TOKENS), TOKENS.roll(1, 0))
    assert close(loss, math.log(5), 0.1), "the loss of an untrained model is near ln 5"


def test_gpt_spread_of_the_first_weights():
    config = gpt.GPTConfig(100, 50, 64, 2, 2, 128, init_std=0.5)
    for name, parameter in gpt.GPT(config).named_parameters():
        if parameter.ndim == 2:
            std = 0.5 / math.sqrt(2 * 2) if name.endswith("output_proj.weight") else 0.5
            assert abs(parameter.std() / std - 1) < 0.1, f"{name} should have the standard deviation {std}"
        elif "bias" in name:
            assert (parameter == 0).all(), f"{name} should start at 0"


def test_gpt_by_its_parts():
    model = tiny(init_std=0.5)
    for block in model.blocks:  # blocks that add nothing
        block.attention.output_proj.weight.data.zero_()
        block.feed_forward.output_proj.weight.data.zero_()
    x = model.token_embedding.weight[3] + model.position_embedding.weight[0]
    expected = model.token_embedding.weight @ nn.functional.layer_norm(x, (8,))
    assert close(model(torch.tensor([[3]]))[0, 0], expected), (
        "the sum of both embeddings, the blocks, the last norm, then the token embedding's weight gives the logits"
    )
    assert model(torch.zeros(1, 6, dtype=torch.int64)).shape == (1, 6, 5), "as many tokens as the context are allowed"
    dropping = tiny(init_std=0.5, dropout=ALMOST_ALL)
    assert close(dropping(TOKENS), torch.zeros(2, 4, 5)), "in training, dropout acts on the sum of the embeddings"
    assert not close(dropping.eval()(TOKENS), torch.zeros(2, 4, 5)), "in eval mode, nothing is dropped"


def test_gpt_is_causal():
    model, other = tiny().eval(), TOKENS.clone()
    other[:, 3] = 2
    assert close(model(other)[:, :3], model(TOKENS)[:, :3]), "the last token must not change the logits before it"
    assert not close(model(other)[:, 3], model(TOKENS)[:, 3]), "the last token changes the logits at its own position"


def test_gpt_knows_places():
    logits = tiny()(torch.tensor([[2, 2, 2]]))
    assert not close(logits[0, 0], logits[0, 2], 1e-7), "the same token at different positions gives different logits"


def test_gpt_with_caches():
    from multihead import KeyValueCache

    model, caches = tiny().eval(), [KeyValueCache(), KeyValueCache()]
    steps = [model(TOKENS[:, index : index + 1], caches) for index in range(4)]
    assert close(torch.cat(steps, dim=1), model(TOKENS)), "token by token should give the same as one pass"


def test_gpt_refuses_what_is_too_long():
    with pytest.raises(ValueError):
        tiny()(torch.zeros(1, 7, dtype=torch.int64))


def test_gpt_has_no_output_matrix():
    names = [name for name, _ in tiny().named_parameters() if not name.startswith("blocks")]
    expected = ["norm.bias", "norm.weight", "position_embedding.weight", "token_embedding.weight"]
    assert sorted(names) == expected, "the logits use the token embedding's weight"


def test_learning_rate_by_hand():
    rates = [gpt.learning_rate(step, 1.0, 0.2, 4, 8) for step in (0, 3, 4, 6, 8, 50)]
    assert close(torch.tensor(rates), [0.25, 1.0, 1.0, 0.6, 0.2, 0.2]), f"rates at 0, 3, 4, 6, 8, 50: {rates}"


def with_gradient(*numbers):
    parameter = nn.Parameter(torch.zeros(len(numbers)))
    parameter.grad = torch.tensor(numbers)
    return parameter


def test_clip_gradients_by_hand():
    first, second = with_gradient(2.0, 4.0), with_gradient(4.0)
    norm = gpt.clip_gradients([first, second], 3.0)
    assert close(norm, 6.0), "the norm is the root of 4 + 16 + 16"
    assert close(first.grad, [1.0, 2.0]), "all gradients are halved"
    assert close(second.grad, [2.0]), "all gradients are halved, by the same factor"
    nothing = gpt.clip_gradients([nn.Parameter(torch.zeros(2))], 3.0)
    assert close(nothing, 0.0), "without gradients, the norm is 0"


def test_clip_gradients_leaves_short_ones():
    parameter = with_gradient(0.3, 0.4)
    gpt.clip_gradients(iter([parameter, nn.Parameter(torch.zeros(2))]), 3.0)
    assert close(parameter.grad, [0.3, 0.4]), "a norm of 0.5 is within max_norm"


def test_parameter_groups():
    model = nn.Sequential(nn.Embedding(3, 2), nn.Linear(2, 2), nn.LayerNorm(2))
    decayed, spared = gpt.parameter_groups(model, 0.1)
    assert [parameter.ndim for parameter in decayed["params"]] == [2, 2], "the embedding and the matrix decay"
    assert [parameter.ndim for parameter in spared["params"]] == [1, 1, 1], (
        "the bias of the linear layer, and the gain and bias of the norm, do not decay"
    )
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    tied = nn.Sequential(nn.Embedding(3, 2), nn.Linear(2, 3, bias=False))
    tied[1].weight = tied[0].weight
    assert len(gpt.parameter_groups(tied, 0.1)[0]["params"]) == 1, "a parameter that is used twice is listed once"


def test_adamw_first_step():
    parameter = with_gradient(5.0, -0.01)
    parameter.data = torch.tensor([1.0, 1.0])
    gpt.AdamW([parameter], lr=0.1, weight_decay=0.5).step()
    assert close(parameter.data, [0.85, 1.05]), (
        "the decay takes 0.05 off, and the step is 0.1 against the sign of each gradient"
    )


def test_adamw_walks_with_pytorchs():
    pairs = [[nn.Parameter(torch.tensor([1.0, -2.0])) for _ in range(2)] for _ in range(2)]
    ours, theirs = (
        [{"params": [first]}, {"params": [second], "lr": 0.01, "betas": (0.5, 0.9), "weight_decay": 0.5}]
        for first, second in pairs
    )
    optimizers = [gpt.AdamW(ours, lr=0.1, eps=0.3), torch.optim.AdamW(theirs, lr=0.1, eps=0.3)]
    for step in range(5):
        for parameter in (*pairs[0], *pairs[1]):
            parameter.grad = torch.tensor([1.0 + step, 0.5 - step])
        for adamw in optimizers:
            adamw.step()
        for mine, expected in zip(*pairs, strict=True):
            assert close(mine.data, expected.data), (
                f"after step {step + 1} the parameters differ from PyTorch's: eps is added to the root, "
                "and each group has its own settings"
            )


class Constant(nn.Module):
    """A model with the same logits for all inputs."""

    def __init__(self, *logits):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, tokens):
        return self.logits.expand(*tokens.shape, -1)


def test_train_step_adds_up_batches():
    model = Constant(0.0, 0.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    model.logits.grad = torch.tensor([9.0, 9.0])  # left over from before
    batches = [(torch.zeros(1, 3), torch.tensor([[0, 0, 0]])), (torch.zeros(1, 3), torch.tensor([[1, -100, -100]]))]
    loss = gpt.train_step(model, optimizer, batches, max_norm=10.0)
    assert close(loss, math.log(2)), "the surprise of each of the four counted targets is ln 2"
    assert close(model.logits.data, [0.25, -0.25]), "three of the four counted targets are class 0, and one is class 1"
    assert isinstance(loss, float), "the loss is a float"


def test_train_step_clips_once():
    model = Constant(0.0, 0.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    batches = [(torch.zeros(1, 1), torch.tensor([[0]])), (torch.zeros(1, 3), torch.tensor([[1, 1, 1]]))]
    gpt.train_step(model, optimizer, batches, max_norm=0.1)
    step = 0.1 / math.sqrt(2)
    assert close(model.logits.data, [-step, step]), "the sum of all gradients is clipped to the norm 0.1, once"
    before = model.logits.detach().clone()
    assert gpt.train_step(model, optimizer, [(torch.zeros(1, 1), torch.tensor([[-100]]))], 1.0) == 0.0, "nothing counts"
    assert close(model.logits.data, before), "when no target counts, the gradient is 0"


def test_evaluate():
    model = nn.Sequential(Constant(math.log(3.0), 0.0), nn.Dropout(0.5))
    batches = [(torch.zeros(1, 3), torch.tensor([[0, 0, 0]])), (torch.zeros(1, 2), torch.tensor([[1, -100]]))]
    expected = (3 * math.log(4 / 3) + math.log(4)) / 4
    assert close(float(gpt.evaluate(model, batches)), expected), (
        "the loss is the mean over four targets, without dropout"
    )
    assert model.training, "the model should be in training mode again"


LOGITS = torch.tensor([0.5, 0.1, 0.3, 0.1]).log()


def test_next_token_probabilities():
    assert close(gpt.next_token_probabilities(LOGITS), [0.5, 0.1, 0.3, 0.1])
    assert close(gpt.next_token_probabilities(LOGITS, temperature=0), [1, 0, 0, 0]), "temperature 0 is the argmax"
    cold = torch.tensor([0.25, 0.01, 0.09, 0.01]) / 0.36
    assert close(gpt.next_token_probabilities(LOGITS, temperature=0.5), cold), (
        "temperature 1/2 squares all probabilities"
    )


def test_next_token_probabilities_top_k():
    assert close(gpt.next_token_probabilities(LOGITS, top_k=2), [0.625, 0, 0.375, 0])
    assert close(gpt.next_token_probabilities(LOGITS, top_k=3), [0.5, 0.1, 0.3, 0.1]), (
        "two tokens tie for the third rank: both are kept"
    )
    assert close(gpt.next_token_probabilities(LOGITS, top_k=9), [0.5, 0.1, 0.3, 0.1]), (
        "a top_k beyond the vocabulary keeps all tokens"
    )


def test_next_token_probabilities_top_p():
    assert close(gpt.next_token_probabilities(LOGITS, top_p=0.6), [0.625, 0, 0.375, 0]), (
        "0.5 < 0.6: two tokens are needed"
    )
    assert close(gpt.next_token_probabilities(LOGITS, top_p=0.1), [1, 0, 0, 0]), "the most likely token is always kept"


def test_generate_goes_on():
    model, prompt = tiny(), torch.tensor([[3, 0], [1, 4]])
    text = gpt.generate(model, prompt, 7, generator=torch.Generator().manual_seed(0))
    assert text.shape == (2, 9), "the text is the prompt and seven new tokens, also past the context of six"
    assert torch.equal(text[:, :2], prompt), "the text begins with the prompt"
    assert model.training, "the model should be in training mode again"


def test_generate_draws_as_told():
    model, prompt = tiny(init_std=0.5), torch.tensor([[3, 0], [1, 4]])

    def text(seed=0, **options):
        return gpt.generate(model, prompt, 12, generator=torch.Generator().manual_seed(seed), **options)

    likeliest = text(temperature=0)
    assert not torch.equal(text(), likeliest), "tokens are drawn, not only the most likely token"
    assert not torch.equal(text(seed=1), text()), "another seed draws other tokens"
    torch.manual_seed(5)
    assert torch.equal(text(), text()), "the same seed of `generator` draws the same tokens"
    for options in ({"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-4}):
        assert torch.equal(text(**options), likeliest), f"with {options} only the most likely token is left"


def test_generate_with_and_without_a_cache():
    model, prompt = tiny(init_std=0.5), torch.tensor([[3, 0], [1, 4]])
    texts = [gpt.generate(model, prompt, 7, temperature=0, use_cache=use_cache) for use_cache in (True, False)]
    assert torch.equal(*texts), "a cache saves work and does not change the text"


def test_byte_bpe():
    bpe = gpt.ByteBPE()
    bpe = bpe.train("banana bandana", 259) or bpe
    assert [bpe.decode([token]) for token in (256, 257, 258)] == [b"an", b"ban", b"ana"], (
        "`an` occurs four times; then, of the pairs that occur twice, the pair with the smaller ids is merged"
    )
    assert bpe.encode("banana") == [257, 258], "banana is ban + ana"
    assert bpe.decode(bpe.encode("thé")) == "thé".encode(), "unseen characters are spelt in bytes"
