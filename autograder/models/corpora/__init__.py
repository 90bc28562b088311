"""Texts to train and evaluate language models on, and the losses that are known for them."""
