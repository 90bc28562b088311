"""Compare the reference of stage 5 with PyTorch's Transformer: equal weights give equal results and gradients."""

import math
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from autograder.course.lab import Lab

LAB = Lab.find(Path(__file__).parent)
BATCH, SOURCE, TARGET, D_MODEL, HEADS, D_HIDDEN, BLOCKS = 2, 7, 5, 12, 3, 20, 2
EXACT = {"rtol": 1e-10, "atol": 1e-10}
# Our name of each part of a block → PyTorch's name; PyTorch's attention has one matrix for query, key and value.
ENCODER_PARTS = {"attention": "self_attn", "attention_norm": "norm1", "feed_forward_norm": "norm2"}
DECODER_PARTS = {
    "self_attention": "self_attn",
    "self_attention_norm": "norm1",
    "cross_attention": "multihead_attn",
    "cross_attention_norm": "norm2",
    "feed_forward_norm": "norm3",
}
FEED_FORWARD = {"feed_forward.input_proj": "linear1", "feed_forward.output_proj": "linear2"}


@pytest.fixture(scope="module")
def transformer():
    """The reference; it imports the references of earlier stages."""
    with pytest.MonkeyPatch.context() as patch:
        for stage in ("2_attention", "3_multihead", "4_positions"):
            found = SimpleNamespace(**runpy.run_path(str(LAB.stage(stage).reference)))
            patch.setitem(sys.modules, LAB.stage(stage).spec.module, found)
        return SimpleNamespace(**runpy.run_path(str(LAB.stage("5_transformer").reference)))


def normal(*shape, seed=0, **options):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64, **options)


def randomised(module):
    """Return the module in float64; a separate seed draws each parameter."""
    module = module.double()
    for seed, parameter in enumerate(module.parameters()):
        parameter.data = normal(*parameter.shape, seed=100 + seed) / 2
    return module


def renamed(tensors, parts):
    """Return a block's tensors by PyTorch's names, with zeros for the biases that our attention lacks."""
    found = {}
    for ours, theirs in (parts | FEED_FORWARD).items():
        if ours.endswith("attention"):
            weights = [tensors[f"{ours}.{name}_proj.weight"] for name in ("query", "key", "value")]
            found[f"{theirs}.in_proj_weight"] = torch.cat(weights)
            found[f"{theirs}.in_proj_bias"] = torch.zeros(3 * D_MODEL, dtype=torch.float64)
            found[f"{theirs}.out_proj.weight"] = tensors[f"{ours}.output_proj.weight"]
            found[f"{theirs}.out_proj.bias"] = torch.zeros(D_MODEL, dtype=torch.float64)
        else:
            for kind in ("weight", "bias"):
                found[f"{theirs}.{kind}"] = tensors[f"{ours}.{kind}"]
    return found


def under(prefix, tensors):
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def renamed_stack(tensors, parts, blocks=BLOCKS):
    """Return a stack's tensors by PyTorch's names; `norm` has the same name in both."""
    found = {f"norm.{name}": tensor for name, tensor in under("norm.", tensors).items()}
    for block in range(blocks):
        names = renamed(under(f"blocks.{block}.", tensors), parts)
        found |= {f"layers.{block}.{name}": tensor for name, tensor in names.items()}
    return found


def gradients_of(module):
    return {name: parameter.grad for name, parameter in module.named_parameters()}


def assert_same_gradients(ours, theirs, rename):
    """Assert that gradients are equal, except those of the biases that our attention lacks."""
    expected = gradients_of(theirs)
    for name, gradient in rename(gradients_of(ours)).items():
        if not name.endswith(("in_proj_bias", "out_proj.bias")):
            assert_close(gradient, expected[name], **EXACT, msg=lambda text, name=name: f"{name}: {text}")


def torch_layer(kind, norm_first):
    return kind(
        D_MODEL, HEADS, D_HIDDEN, 0.0, functional.gelu, norm_first=norm_first, batch_first=True, dtype=torch.float64
    )


def blocked(mask):
    """Return our mask in PyTorch's form: True blocks, with one matrix per sequence and head."""
    return ~mask.unsqueeze(1).expand(BATCH, HEADS, -1, -1).flatten(0, 1)


def random_mask(query, key, seed):
    mask = normal(BATCH, query, key, seed=seed) > 0
    mask[..., 0] = True  # PyTorch returns NaN for a query without allowed keys
    return mask


def assert_close_and_backward(found, expected):
    assert_close(found, expected, **EXACT)
    upstream = normal(*expected.shape, seed=50)
    found.backward(upstream)
    expected.backward(upstream)


@pytest.mark.parametrize("eps", [1e-5, 0.3])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize(("ours", "theirs"), [("LayerNorm", nn.LayerNorm), ("RMSNorm", nn.RMSNorm)])
def test_norms_equal_pytorch(transformer, ours, theirs, scale, eps):
    norm, other = randomised(getattr(transformer, ours)(D_MODEL, eps)), theirs(D_MODEL, eps, dtype=torch.float64)
    other.load_state_dict(norm.state_dict())
    inputs = [(normal(BATCH, TARGET, D_MODEL) * scale).requires_grad_() for _ in range(2)]
    assert_close_and_backward(norm(inputs[0]), other(inputs[1]))
    assert_close(inputs[0].grad, inputs[1].grad, rtol=1e-8, atol=1e-10)
    assert_same_gradients(norm, other, dict)


def test_norms_have_the_usual_eps(transformer):
    assert transformer.LayerNorm(4).eps == nn.LayerNorm(4).eps
    zeros = torch.full((4,), 1e-3, dtype=torch.float64)
    assert_close(transformer.RMSNorm(4).double()(zeros), zeros / math.sqrt(2e-6))


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_equals_pytorch(transformer, approximate):
    inputs = [torch.linspace(-12, 12, 301, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    found = transformer.gelu(inputs[0], approximate)
    assert_close_and_backward(found, functional.gelu(inputs[1], approximate=approximate))
    assert_close(inputs[0].grad, inputs[1].grad, **EXACT)


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_encoder_block_equals_pytorch(transformer, norm_first, masked):
    ours = randomised(transformer.EncoderBlock(D_MODEL, HEADS, D_HIDDEN, norm_first=norm_first))
    theirs = torch_layer(nn.TransformerEncoderLayer, norm_first)
    theirs.load_state_dict(renamed(ours.state_dict(), ENCODER_PARTS))
    inputs = [normal(BATCH, SOURCE, D_MODEL, requires_grad=True) for _ in range(2)]
    mask = random_mask(SOURCE, SOURCE, seed=1) if masked else None
    assert_close_and_backward(ours(inputs[0], mask), theirs(inputs[1], None if mask is None else blocked(mask)))
    assert_close(inputs[0].grad, inputs[1].grad, **EXACT)
    assert_same_gradients(ours, theirs, lambda tensors: renamed(tensors, ENCODER_PARTS))


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_decoder_block_equals_pytorch(transformer, norm_first, masked):
    ours = randomised(transformer.DecoderBlock(D_MODEL, HEADS, D_HIDDEN, norm_first=norm_first))
    theirs = torch_layer(nn.TransformerDecoderLayer, norm_first)
    theirs.load_state_dict(renamed(ours.state_dict(), DECODER_PARTS))
    inputs = [[normal(BATCH, size, D_MODEL, seed=size, requires_grad=True) for size in (TARGET, SOURCE)] for _ in "12"]
    causal = torch.ones(TARGET, TARGET, dtype=torch.bool).tril()
    if masked:
        mask, memory_mask = random_mask(TARGET, TARGET, seed=2), random_mask(TARGET, SOURCE, seed=3)
        found = ours(*inputs[0], mask, memory_mask)
        expected = theirs(*inputs[1], blocked(mask & causal), blocked(memory_mask))
    else:
        found, expected = ours(*inputs[0]), theirs(*inputs[1], ~causal)
    assert_close_and_backward(found, expected)
    for tensor, other in zip(*inputs, strict=True):
        assert_close(tensor.grad, other.grad, **EXACT)
    assert_same_gradients(ours, theirs, lambda tensors: renamed(tensors, DECODER_PARTS))


def torch_transformer(encoder, decoder, norm_first):
    """Return PyTorch's Transformer with the weights of our stacks; with post-norm, both have no final norm."""
    norms = [nn.LayerNorm(D_MODEL, dtype=torch.float64) if norm_first else None for _ in range(2)]
    encoder_layer = torch_layer(nn.TransformerEncoderLayer, norm_first)
    decoder_layer = torch_layer(nn.TransformerDecoderLayer, norm_first)
    theirs = nn.Transformer(
        D_MODEL,
        HEADS,
        custom_encoder=nn.TransformerEncoder(encoder_layer, BLOCKS, norms[0], enable_nested_tensor=False),
        custom_decoder=nn.TransformerDecoder(decoder_layer, BLOCKS, norms[1]),
        batch_first=True,
    )
    theirs.encoder.load_state_dict(renamed_stack(encoder.state_dict(), ENCODER_PARTS))
    theirs.decoder.load_state_dict(renamed_stack(decoder.state_dict(), DECODER_PARTS))
    return theirs


@pytest.mark.parametrize("norm_first", [True, False])
def test_stacks_equal_pytorch(transformer, norm_first):
    sizes = (BLOCKS, D_MODEL, HEADS, D_HIDDEN)
    encoder = randomised(transformer.Encoder(*sizes, norm_first=norm_first))
    decoder = randomised(transformer.Decoder(*sizes, norm_first=norm_first))
    theirs = torch_transformer(encoder, decoder, norm_first)
    inputs = [[normal(BATCH, size, D_MODEL, seed=size, requires_grad=True) for size in (SOURCE, TARGET)] for _ in "12"]
    real = torch.arange(SOURCE) < torch.tensor([SOURCE, 4])[:, None]
    mask = real[:, None, :]
    found = decoder(inputs[0][1], encoder(inputs[0][0], mask), memory_mask=mask)
    expected = theirs(
        *inputs[1],
        src_key_padding_mask=~real,
        tgt_mask=~torch.ones(TARGET, TARGET, dtype=torch.bool).tril(),
        memory_key_padding_mask=~real,
    )
    assert_close_and_backward(found, expected)
    for tensor, other in zip(*inputs, strict=True):
        assert_close(tensor.grad, other.grad, **EXACT)
    assert_same_gradients(encoder, theirs.encoder, lambda tensors: renamed_stack(tensors, ENCODER_PARTS))
    assert_same_gradients(decoder, theirs.decoder, lambda tensors: renamed_stack(tensors, DECODER_PARTS))


def torch_logits(model, source, target, pad_id):
    """Return the logits of the whole model, computed with PyTorch's stacks and with sinusoids computed here."""
    theirs = torch_transformer(model.encoder, model.decoder, norm_first=True)
    embedded = []
    for tokens, embedding in ((source, model.source_embedding), (target, model.target_embedding)):
        angle = torch.arange(tokens.shape[1])[:, None] / 10000 ** (torch.arange(0, D_MODEL, 2) / D_MODEL)
        sinusoids = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
        embedded.append(functional.embedding(tokens, embedding.weight) * D_MODEL**0.5 + sinusoids)
    hidden = theirs(
        *embedded,
        src_key_padding_mask=source == pad_id,
        memory_key_padding_mask=source == pad_id,
        tgt_mask=~torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).tril(),
    )
    return functional.linear(hidden, model.output_proj.weight, model.output_proj.bias)


def test_whole_model_equals_pytorch(transformer):
    sizes = dict(d_model=D_MODEL, num_heads=HEADS, num_blocks=BLOCKS, d_hidden=D_HIDDEN, max_length=9)
    model = randomised(transformer.Transformer(11, 13, **sizes, pad_id=4))
    source = torch.tensor([[3, 1, 2, 10, 7, 6, 8], [9, 5, 0, 1, 4, 4, 4]])
    target = torch.tensor([[4, 12, 3, 0, 7], [4, 1, 8, 4, 4]])  # the start token is the padding token
    assert_close(model(source, target), torch_logits(model, source, target, pad_id=4), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_loss_equals_pytorch(transformer, smoothing):
    targets = torch.tensor([[3, 1, 2, 9], [5, 0, 9, 9]])
    inputs = [(normal(2, 4, 11) * 30).requires_grad_() for _ in range(2)]
    found = transformer.label_smoothed_loss(inputs[0], targets, smoothing, pad_id=9)
    expected = functional.cross_entropy(
        inputs[1].flatten(0, 1), targets.flatten(), ignore_index=9, label_smoothing=smoothing
    )
    assert_close_and_backward(found, expected)
    assert_close(inputs[0].grad, inputs[1].grad, **EXACT)


def test_loss_without_targets_is_zero(transformer):
    logits = normal(2, 3, 5, requires_grad=True)
    loss = transformer.label_smoothed_loss(logits, torch.tensor([[1, 1, -100], [1, 1, 1]]), 0.1, pad_id=1)
    loss.backward()
    assert loss.item() == 0.0
    assert_close(logits.grad, torch.zeros_like(logits), **EXACT)


def test_rate_rises_linearly_and_falls_as_an_inverse_root(transformer):
    """Check the equation in the paper; the rate of its base model peaks at step 4000 with 7.0e-4."""
    rates = [transformer.warmup_rate(step, 512, 4000) for step in range(1, 16001)]
    assert math.isclose(rates[3999], (512 * 4000) ** -0.5)
    assert rates[3999] == max(rates)
    assert all(math.isclose(rates[step - 1], step * rates[0]) for step in (1, 2, 1000, 4000))
    assert math.isclose(rates[15999], rates[3999] / 2)


def test_decoding_with_caches_equals_one_pass(transformer):
    decoder = randomised(transformer.Decoder(BLOCKS, D_MODEL, HEADS, D_HIDDEN))
    x, memory = normal(BATCH, TARGET, D_MODEL), normal(BATCH, SOURCE, D_MODEL, seed=1)
    caches = [transformer.KeyValueCache() for _ in range(BLOCKS)]
    pieces = [decoder(x[:, start:end], memory, caches=caches) for start, end in ((0, 2), (2, 3), (3, TARGET))]
    assert_close(torch.cat(pieces, dim=1), decoder(x, memory), **EXACT)


def test_greedy_decoding_takes_the_most_likely_token_until_the_end(transformer):
    """Compare with a loop over rows and tokens that uses the model's logits."""
    sizes = dict(d_model=8, num_heads=2, num_blocks=1, d_hidden=16, max_length=7)
    torch.manual_seed(0)
    model = transformer.Transformer(9, 5, **sizes)
    model.output_proj.bias.data.zero_()  # otherwise one token would be the most likely for every source
    model.decoder.blocks[0].cross_attention.output_proj.weight.data *= 10
    source = torch.randint(1, 9, (40, 6), generator=torch.Generator().manual_seed(0))
    written = transformer.greedy_decode(model, source, start_id=0, end_id=2, max_length=6)
    lengths = set()
    for row, sentence in zip(written, source, strict=True):
        expected = [0]
        while len(expected) <= 6 and expected[-1] != 2:
            logits = model(sentence[None], torch.tensor([expected]))
            expected.append(int(logits[0, -1].argmax()))
        lengths.add(len(expected))
        assert row.tolist() == expected[1:] + [0] * (written.shape[1] - len(expected) + 1)
    assert len(lengths) > 2
