"""Token ids with and without padding."""

import torch

PAD = 4


def token_ids(batch, length, vocab, seed, *, pad_id=PAD):
    """Draw token ids without padding."""
    drawn = torch.randint(vocab - 1, (batch, length), generator=torch.Generator().manual_seed(seed))
    return drawn + (drawn >= pad_id)


def padded(tokens, lengths, pad_id=PAD):
    """Replace the tokens of each row from its length on with padding."""
    return tokens.masked_fill(torch.arange(tokens.shape[1]) >= torch.tensor(lengths)[:, None], pad_id)
