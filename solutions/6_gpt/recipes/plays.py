"""The course's own speedrun of the plays; docs/training.md lists the losses that it reaches.

Differences from the starter: rotary positions, RMS norms (also of queries and keys), ReLU², output projections
initialised with zeros, an embedding of the pair of the last two characters, and Muon for the matrices.

Source: Jordan et al. 2024 (Muon; modded-nanogpt); So et al. 2021 (ReLU²); Henry et al. 2020 (QK-norm).
"""

import torch
import torch.nn.functional as F
from multihead import merge_heads, split_heads
from positions import apply_rotary
from torch import Tensor, nn

CONTEXT_LENGTH = 128
BATCH_SIZE = 8
MAX_NORM = 1.0
MATRIX_RATE, EMBEDDING_RATE = 0.02, 6e-3
# Coefficients of the optimal polynomial in Muon's iteration.
QUINTIC = 3.4445, -4.7750, 2.0315


def normalize(x: Tensor) -> Tensor:
    """Scale each vector to a root mean square of 1, without learnt parameters."""
    return F.rms_norm(x, x.shape[-1:])


class Block(nn.Module):
    """Causal attention with rotary positions, then a feed-forward layer, each on normalized inputs."""

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query_proj, self.key_proj, self.value_proj, self.output_proj = (
            nn.Linear(d_model, d_model, bias=False) for _ in range(4)
        )
        self.hidden_proj = nn.Linear(d_model, 4 * d_model, bias=False)
        self.down_proj = nn.Linear(4 * d_model, d_model, bias=False)
        for linear in (self.query_proj, self.key_proj, self.value_proj, self.hidden_proj):
            nn.init.normal_(linear.weight, std=0.02)
        for linear in (self.output_proj, self.down_proj):
            nn.init.zeros_(linear.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, length, d_model)` to the same shape, with two residual connections."""
        y = normalize(x)
        positions = torch.arange(x.shape[1], device=x.device)
        query, key = (
            apply_rotary(normalize(split_heads(project(y), self.num_heads)), positions)
            for project in (self.query_proj, self.key_proj)
        )
        value = split_heads(self.value_proj(y), self.num_heads)
        x = x + self.output_proj(merge_heads(F.scaled_dot_product_attention(query, key, value, is_causal=True)))
        return x + self.down_proj(F.relu(self.hidden_proj(normalize(x))).square())


class SpeedrunModel(nn.Module):
    """Embeddings of characters and of pairs of characters, blocks, and logits with tied character embeddings."""

    def __init__(self, vocab_size: int, d_model: int, num_heads: int, num_blocks: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.token_embedding = nn.Embedding(vocab_size, d_model)
        self.pair_embedding = nn.Embedding(vocab_size**2, d_model)
        self.blocks = nn.ModuleList(Block(d_model, num_heads) for _ in range(num_blocks))
        for embedding in (self.token_embedding, self.pair_embedding):
            nn.init.normal_(embedding.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits `(batch, length, vocab_size)` of tokens `(batch, length)`."""
        previous = F.pad(tokens[:, :-1], (1, 0))
        x = self.token_embedding(tokens) + self.pair_embedding(previous * self.vocab_size + tokens)
        for block in self.blocks:
            x = block(x)
        return F.linear(normalize(x), self.token_embedding.weight)


class Muon(torch.optim.Optimizer):
    """Update each matrix by the orthogonal matrix nearest to its momentum.

    Source: Jordan et al. 2024.
    """

    def __init__(self, params, lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None):
        """Update each matrix `(rows, columns)`; each must have a gradient."""
        for group in self.param_groups:
            for matrix in group["params"]:
                state = self.state[matrix]
                if not state:
                    state["momentum"] = torch.zeros_like(matrix)
                state["momentum"].lerp_(matrix.grad, 1 - group["momentum"])
                direction = orthogonalize(matrix.grad.lerp(state["momentum"], group["momentum"]))
                rows, columns = matrix.shape
                matrix.add_(direction, alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)


def orthogonalize(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Approximate the nearest matrix whose singular values are all 1, with Newton–Schulz iterations."""
    a, b, c = QUINTIC
    x = matrix / (matrix.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(iterations):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


def build_model(vocab_size: int) -> nn.Module:
    """Make the model for a vocabulary of `vocab_size` tokens."""
    return SpeedrunModel(vocab_size, d_model=128, num_heads=4, num_blocks=3)


def build_optimizers(model: nn.Module) -> list[torch.optim.Optimizer]:
    """Make Muon for the matrices of the blocks and AdamW for the embeddings."""
    embeddings = [model.token_embedding.weight, model.pair_embedding.weight]
    return [
        Muon(model.blocks.parameters(), lr=MATRIX_RATE),
        torch.optim.AdamW(embeddings, lr=EMBEDDING_RATE, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]


def rate_factor(step: int, total: int) -> float:
    """Rise linearly over the first 2 % of the steps, multiplied by a linear decay to zero."""
    return min(1.0, (step + 1) / (0.02 * total)) * (1 - step / total)
