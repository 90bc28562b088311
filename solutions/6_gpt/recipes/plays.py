"""The course's own speedrun of the plays; the bars of docs/training.md are what it reaches.

Against the starter: rotary positions, RMS norms (of queries and keys too), ReLU², output projections that start at
zero, an embedding of the pair of the last two characters, and Muon for the matrices.

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
# Of the optimal polynomial in Muon's iteration.
QUINTIC = 3.4445, -4.7750, 2.0315


def normed(x: Tensor) -> Tensor:
    """Each vector with a root mean square of 1; nothing is learnt."""
    return F.rms_norm(x, x.shape[-1:])


class Block(nn.Module):
    """Causal attention with rotary positions, then a feed-forward layer, each on normed inputs."""

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
        """Read `(batch, length, d_model)` and add to it."""
        y = normed(x)
        positions = torch.arange(x.shape[1], device=x.device)
        query, key = (
            apply_rotary(normed(split_heads(project(y), self.num_heads)), positions)
            for project in (self.query_proj, self.key_proj)
        )
        value = split_heads(self.value_proj(y), self.num_heads)
        x = x + self.output_proj(merge_heads(F.scaled_dot_product_attention(query, key, value, is_causal=True)))
        return x + self.down_proj(F.relu(self.hidden_proj(normed(x))).square())


class Model(nn.Module):
    """Blocks between embeddings of characters and of pairs of them, and logits by the characters' embedding."""

    def __init__(self, vocab_size: int, d_model: int, num_heads: int, num_blocks: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.token_embedding = nn.Embedding(vocab_size, d_model)
        self.pair_embedding = nn.Embedding(vocab_size**2, d_model)
        self.blocks = nn.ModuleList(Block(d_model, num_heads) for _ in range(num_blocks))
        for embedding in (self.token_embedding, self.pair_embedding):
            nn.init.normal_(embedding.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits `(batch, length, vocab_size)` of tokens `(batch, length)`."""
        previous = F.pad(tokens[:, :-1], (1, 0))
        x = self.token_embedding(tokens) + self.pair_embedding(previous * self.vocab_size + tokens)
        for block in self.blocks:
            x = block(x)
        return F.linear(normed(x), self.token_embedding.weight)


class Muon(torch.optim.Optimizer):
    """Momentum, of which each matrix takes the nearest orthogonal one as its step.

    Source: Jordan et al. 2024.
    """

    def __init__(self, params, lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None):
        """Change each matrix `(rows, columns)` that has a gradient."""
        for group in self.param_groups:
            for matrix in group["params"]:
                state = self.state[matrix]
                if not state:
                    state["momentum"] = torch.zeros_like(matrix)
                state["momentum"].lerp_(matrix.grad, 1 - group["momentum"])
                direction = orthogonal(matrix.grad.lerp(state["momentum"], group["momentum"]))
                rows, columns = matrix.shape
                matrix.add_(direction, alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)


def orthogonal(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Roughly the nearest matrix whose singular values are all 1, by Newton–Schulz iterations."""
    a, b, c = QUINTIC
    x = matrix / (matrix.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(iterations):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


def build_model(vocab_size: int) -> nn.Module:
    """The model for tokens below `vocab_size`."""
    return Model(vocab_size, d_model=128, num_heads=4, num_blocks=3)


def build_optimizers(model: nn.Module) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices, AdamW for the embeddings."""
    embeddings = [model.token_embedding.weight, model.pair_embedding.weight]
    return [
        Muon(model.blocks.parameters(), lr=MATRIX_RATE),
        torch.optim.AdamW(embeddings, lr=EMBEDDING_RATE, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]


def rate_factor(step: int, total: int) -> float:
    """Straight up over the first steps, then straight down to nothing."""
    return min(1.0, (step + 1) / (0.02 * total)) * (1 - step / total)
