"""Integrations with other programs, one module or package each."""
