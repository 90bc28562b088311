"""Make mutants of a stage's reference with mutmut's operators."""

import ast
import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import libcst
from mutmut.mutation.file_mutation import create_mutations, deep_replace

from autograder.course.lab import StageFolders


@dataclass(frozen=True)
class Mutant:
    """A changed reference.

    Attributes:
        function: the function or ``Class.method`` that changed.
        source: the new text of the module.
        diff: the lines that differ, marked ``-`` and ``+``; it names the mutant in the file of reasons.
    """

    function: str
    source: str
    diff: str

    @property
    def digest(self) -> str:
        """Identifies the new text."""
        return hashlib.sha256(self.source.encode()).hexdigest()[:16]

    @property
    def definition(self) -> str:
        """The top-level function or class that changed."""
        return self.function.partition(".")[0]


def mutants_of(stage: StageFolders) -> Iterator[Mutant]:
    """Yield every mutant of the reference's functions and methods, except of their docstrings."""
    code = stage.reference_source()
    module, mutations, _, _ = create_mutations(str(stage.reference), code, covered_lines=_lines_to_mutate(code))
    seen = {ast.dump(ast.parse(code))}
    for mutation in mutations:
        owner = mutation.contained_by_top_level_function
        if owner is None:
            continue
        changed = deep_replace(module, mutation.original_node, mutation.mutated_node).code  # type: ignore[union-attr]
        tree = ast.dump(ast.parse(changed))
        if tree not in seen:
            seen.add(tree)
            yield Mutant(_qualified_name(module, owner), changed, difference(code, changed))


def difference(code: str, changed: str) -> str:
    """Return the lines that differ, marked ``-`` and ``+``, without their indentation."""
    lines = list(difflib.unified_diff(code.splitlines(), changed.splitlines(), n=0, lineterm=""))[2:]
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in lines if line[0] in "+-")


def _qualified_name(module: libcst.Module, function: libcst.FunctionDef) -> str:
    """Return ``function`` or ``Class.method``."""
    for statement in module.body:
        if isinstance(statement, libcst.ClassDef) and any(child is function for child in statement.body.body):
            return f"{statement.name.value}.{function.name.value}"
    return function.name.value


def _lines_to_mutate(code: str) -> set[int]:
    """Return the lines of all functions and methods, without docstrings and ``raise``.

    The contract names the type of an error, which the operators do not change, and leaves its text open.
    """
    lines: set[int] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines.update(_lines_of(node))
            if ast.get_docstring(node) is not None:
                lines.difference_update(_lines_of(node.body[0]))
            for statement in ast.walk(node):
                if isinstance(statement, ast.Raise):
                    lines.difference_update(_lines_of(statement))
    return lines


def _lines_of(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)
