"""Stage 7: BERT, from hiding words to a classifier that was pre-trained.

Conventions, the same in every function:

- axes are named `batch, length, d_model, d_hidden, vocab`; everything is batch first;
- masks are bool, **True = real token**; tokens, segments and labels are int64;
- a label of -100 does not count in the loss;
- random numbers come from the given `generator` only, except for initialisation and dropout;
- dropout is off in `eval()`, and 0.0 by default;
- results have the dtype and the device of the inputs, and inputs are never changed in place.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformer import EncoderBlock, LayerNorm, gelu

IGNORE_INDEX = -100  # a label that does not count, as in PyTorch's losses


@dataclass(frozen=True)
class BertConfig:
    """Sizes of a BERT (given: nothing to do here).

    Attributes:
        vocab_size: number of different tokens, special tokens included.
        max_length: maximum number of tokens that the model can read.
        d_model: features of a position.
        num_heads: heads of each attention.
        num_blocks: number of blocks in the stack.
        d_hidden: features of each feed-forward layer's hidden layer.
        num_segments: number of different segments.
        dropout: probability of dropout wherever it acts.
    """

    vocab_size: int
    max_length: int
    d_model: int
    num_heads: int
    num_blocks: int
    d_hidden: int
    num_segments: int = 2
    dropout: float = 0.0


def mask_tokens(
    tokens: Tensor,
    vocab_size: int,
    mask_id: int,
    special_ids: list[int],
    generator: torch.Generator | None,
    rate: float = 0.15,
) -> tuple[Tensor, Tensor]:
    """Hide some tokens, and keep what they were as labels.

    Each token that is not special is chosen with probability `rate`, whatever is chosen elsewhere. (The exact share
    `rate` of them at random is right too.) Of the **chosen** tokens, 80 % become `mask_id`, 10 % become a random token,
    and 10 % stay as they are. A random token is uniform over the vocabulary without the special tokens; it can be the
    original again.

    Args:
        tokens: token ids `(batch, length)`.
        vocab_size: number of different tokens: ids are `0 … vocab_size - 1`.
        mask_id: the token that stands for a hidden token; it counts as special, in `special_ids` or not.
        special_ids: tokens that are never chosen and never drawn, wherever their ids are in the vocabulary.
        generator: draws all random numbers; the global generator when None.
        rate: the probability that a token is chosen.

    Returns:
        Inputs and labels, each int64 `(batch, length)`. A label is the original token where one was chosen, also where
        it stays as it is, and -100 elsewhere.

    Source: Devlin et al. 2019, section 3.1 and appendix A.1.
    """
    raise NotImplementedError("mask_tokens")


def pack_pair(
    first: Tensor, second: Tensor, cls_id: int, sep_id: int, pad_id: int, length: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Pack two texts into one sequence: `[CLS] first [SEP] second [SEP] [PAD] …`.

    If both texts do not fit, the longer one loses its last token, again and again; the second one if they are equally
    long. `[CLS]` and both `[SEP]` always stay.

    Args:
        first: token ids `(n,)`; can be empty.
        second: token ids `(m,)`; can be empty.
        cls_id: the token at the beginning.
        sep_id: the token after each text.
        pad_id: the token that fills up the sequence.
        length: number of tokens of the sequence.

    Returns:
        Tokens, segments and mask, each `(length,)`. A segment is 0 up to and including the first `[SEP]`, then 1 up to
        and including the second, and 0 on padding. The mask is True on all tokens except padding.

    Raises:
        ValueError: `length` is less than 3.

    Source: Devlin et al. 2019, section 3 and figure 2.
    """
    raise NotImplementedError("pack_pair")


def sentence_pairs(documents: list[list[Any]], generator: torch.Generator | None) -> list[tuple[Any, Any, int]]:
    """Make the examples of next-sentence prediction: does the second sentence follow the first?

    Each sentence that has a next sentence is the first of a pair. With probability 1/2 the second is that next sentence
    and the label is 1. Otherwise the second is a random sentence of a random **other** document and the label is 0.

    Args:
        documents: at least two lists of sentences. A sentence can be anything, such as a list of token ids. Each
            document has at least one sentence.
        generator: draws all random numbers; the global generator when None.

    Returns:
        A list of `(first, second, label)`.

    Raises:
        ValueError: there are fewer than two documents.

    Source: Devlin et al. 2019, section 3.1, task 2.
    """
    raise NotImplementedError("sentence_pairs")


class BertEmbeddings(nn.Module):
    """What the first block reads: token, position and segment together.

    Modules: `token`, `position` and `segment` (`nn.Embedding`), and `norm` (stage 5's `LayerNorm`). The three
    embeddings are added without a factor and normalised; then dropout acts.

    Source: Devlin et al. 2019, section 3, figure 2.
    """

    def __init__(self, config: BertConfig) -> None:
        """Make the embeddings and the norm.

        Args:
            config: sizes of the model.
        """
        super().__init__()
        raise NotImplementedError("BertEmbeddings.__init__")

    def forward(self, tokens: Tensor, segments: Tensor | None = None) -> Tensor:
        """Embed the tokens. Positions count from 0.

        Args:
            tokens: token ids `(batch, length)`, at most `max_length` of them in a row.
            segments: segment ids `(batch, length)`; all 0 when None.

        Returns:
            `(batch, length, d_model)`.
        """
        raise NotImplementedError("BertEmbeddings.forward")


class Bert(nn.Module):
    """An encoder that reads in both directions.

    Modules: `embeddings` (`BertEmbeddings`), `blocks` (a list of stage 5's `EncoderBlock`s, post-norm) and `pooler` (a
    linear layer, `d_model` → `d_model`, with a bias). Blocks have no causal mask: the last token can change what the
    first position holds.

    Source: Devlin et al. 2019, section 3.
    """

    def __init__(self, config: BertConfig) -> None:
        """Make the embeddings, the blocks and the pooler.

        Args:
            config: sizes of the model.
        """
        super().__init__()
        raise NotImplementedError("Bert.__init__")

    def forward(
        self, tokens: Tensor, segments: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Read a batch of sequences.

        Args:
            tokens: token ids `(batch, length)`.
            segments: segment ids `(batch, length)`; all 0 when None.
            mask: bool `(batch, length)`, True on real tokens; no position attends to the others. All are real when
                None.

        Returns:
            Hidden states `(batch, length, d_model)` and the pooled state `(batch, d_model)`: `tanh` of the `pooler` at
            the first position. Hidden states of padding have no meaning.
        """
        raise NotImplementedError("Bert.forward")


class MaskedLanguageHead(nn.Module):
    """Logits for the hidden tokens, from the hidden states.

    `norm(gelu(dense(hidden)))` times the weight of the token embedding, plus `bias`. Modules: `dense` (a linear layer,
    `d_model` → `d_model`, with a bias) and `norm` (stage 5's `LayerNorm`). Parameter: `bias` `(vocab,)`. The GELU is
    exact. The output matrix is **tied**: it is the embedding's own weight, not a copy, and it learns in both places.

    Source: Devlin et al. 2019, section 3.1, task 1; the transform is in the authors' code.
    """

    def __init__(self, embedding: nn.Embedding) -> None:
        """Make the transform and the bias.

        Args:
            embedding: the token embedding of the model, `bert.embeddings.token`.
        """
        super().__init__()
        raise NotImplementedError("MaskedLanguageHead.__init__")

    def forward(self, hidden: Tensor) -> Tensor:
        """Compute the logits.

        Args:
            hidden: `(…, d_model)`.

        Returns:
            `(…, vocab)`.
        """
        raise NotImplementedError("MaskedLanguageHead.forward")


def masked_language_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Compute the mean of `-log p(label)` over the chosen tokens only, in nats.

    Args:
        logits: `(batch, length, vocab)`, of any magnitude.
        labels: `(batch, length)`: the original token where a token was chosen, -100 elsewhere.

    Returns:
        The mean over the labels that are not -100, a 0-d tensor; 0.0 when there are none.

    Source: Devlin et al. 2019, appendix A.1.
    """
    raise NotImplementedError("masked_language_loss")


def fill_mask(bert: nn.Module, head: nn.Module, tokens: Tensor, mask_id: int, k: int) -> tuple[Tensor, Tensor]:
    """Predict the hidden tokens of one sequence.

    Args:
        bert: a `Bert`.
        head: its `MaskedLanguageHead`.
        tokens: token ids `(length,)`; the hidden ones are `mask_id`.
        mask_id: the token that stands for a hidden token.
        k: number of predictions for each hidden token.

    Returns:
        The ids of the `k` most likely tokens and their probabilities (softmax over the whole vocabulary), each
        `(masks, k)`. Masks are in reading order, and predictions begin with the most likely.
    """
    raise NotImplementedError("fill_mask")


class SequenceClassifier(nn.Module):
    """A class for a whole sequence, from a pre-trained model.

    Modules: `bert`, the model itself, not a copy, so that its parameters go on learning, and `output_proj` (a linear
    layer, `d_model` → `num_classes`, with a bias) on the pooled state.

    Source: Devlin et al. 2019, section 4.1.
    """

    def __init__(self, bert: Bert, num_classes: int) -> None:
        """Keep the model and make the output projection.

        Args:
            bert: a pre-trained `Bert`.
            num_classes: number of classes.
        """
        super().__init__()
        raise NotImplementedError("SequenceClassifier.__init__")

    def forward(self, tokens: Tensor, segments: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Classify a batch of sequences.

        Args:
            tokens: as for `Bert`.
            segments: as for `Bert`.
            mask: as for `Bert`.

        Returns:
            Logits `(batch, num_classes)`.
        """
        raise NotImplementedError("SequenceClassifier.forward")
