"""Texts that language models are trained and measured on, and what can be known of them."""
