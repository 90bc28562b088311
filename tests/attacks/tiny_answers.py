"""Texts of modules for the tiny lab: every function of the exercise calls one ``answer(x, *args)``."""

_ALL_FUNCTIONS = """

def double(x):
    return answer(x)


def total(x, axis):
    return answer(x, axis)


def halve(x):
    return answer(x)
"""

# Right values, for attacks that spoil only their form.
RIGHT = "(2 * x if not args else x.sum(args[0]))"


def answering(text: str) -> str:
    """A module that defines ``answer``."""
    return text.strip("\n") + "\n" + _ALL_FUNCTIONS


def returning(expression: str, setup: str = "") -> str:
    """A module whose functions return an expression of ``x`` and ``args``."""
    return answering(f"import torch\n{setup}\n\ndef answer(x, *args):\n    return {expression}\n")


def raising(expression: str, setup: str = "") -> str:
    """A module whose functions raise the value of an expression."""
    return answering(f"import torch\n{setup}\n\ndef answer(x, *args):\n    raise {expression}\n")


def running(statements: str, setup: str = "") -> str:
    """A module whose functions run some statements and return a wrong value."""
    body = "\n".join(f"    {line}" for line in statements.strip().splitlines())
    return answering(
        f"import torch\n{setup}\n\ndef answer(x, *args):\n{body}\n    return torch.zeros(1, dtype=torch.float16)\n"
    )
