"""Words in a module that could hide a forbidden call; many have honest uses, so they are noted and never scored.

The source is tokenized, because parsers can be crashed. The time is linear in its length.
"""

import io
import re
import tokenize
import unicodedata
from collections.abc import Iterator

# Names of builtins, unless they are attributes or are defined here: `model.eval()`, `re.compile(…)`.
_BUILTINS = frozenset({"exec", "eval", "compile", "globals", "locals", "vars", "breakpoint"})
# Names that lead to frames, code objects, wrapped functions and the insides of PyTorch.
_INSIDE = frozenset(
    {
        "importlib", "builtins", "ctypes", "gc", "inspect", "traceback", "marshal", "pickle", "dill", "cloudpickle",
        "pdb", "bdb", "dis", "codeop", "runpy", "imp", "pkgutil", "zipimport", "attrgetter", "methodcaller",
        "_C", "_ops", "_decomp", "_refs", "_prims", "_prims_common", "_inductor", "_dynamo", "_functorch",
        "_functional", "_VF", "_library", "_subclasses", "flex_attention", "decomposition_table", "get_decompositions",
        "redispatch", "decompose", "py_impl", "py_kernels", "DispatchKey", "DispatchKeySet", "quantized",
        "quantizable", "f_locals", "f_globals", "f_builtins", "f_back", "f_code", "tb_frame", "tb_next", "gi_frame",
        "cr_frame", "ag_frame", "gi_code", "cell_contents", "CodeType", "FunctionType", "CellType", "FrameType",
        "TracebackType", "co_code", "co_consts", "co_filename", "co_name", "co_firstlineno", "settrace", "setprofile",
        "exc_info", "_current_frames", "last_traceback", "excepthook", "_getframe", "_getframemodulename",
    }
)  # fmt: skip
# Special names that classes define or call as a matter of course; every other name of this form is noted.
_USUAL = re.compile(
    r"__(?:(?:i|r)?(?:add|sub|mul|matmul|truediv|floordiv|mod|pow|and|or|xor|lshift|rshift|divmod)|init|call|repr|str|len|"
    r"bool|int|float|index|iter|next|reversed|contains|(?:get|set|del)item|missing|eq|ne|lt|le|gt|ge|hash|neg|pos|abs|"
    r"invert|round|enter|exit|name|main|file|all|doc|version|future|post_init|annotations|init_subclass|slots|class|"
    r"qualname|format|copy|deepcopy)__"
)
_SPECIAL = re.compile(r"__\w+__")
_OF_TORCH = frozenset({"ops", "jit", "library", "fx", "overrides", "ao", "export"})
_OF_SYS = frozenset({"modules", "meta_path", "path_hooks"})
# Functions whose second argument is the name of an attribute, harmless if it is written out.
_LOOKUPS = frozenset({"getattr", "setattr", "delattr"})
_OWNERS = frozenset({"torch", "nn", "functional", "F", "Tensor", "optim", "sys"})
_LEFT_OUT = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}
)
_WRITTEN_NAME = re.compile(r"""[rbuRBU]{0,2}(["'])([\w.]{1,100})\1""")
_LONGEST_STATEMENT = 1000


def hiding_words(source: str) -> list[tuple[int, str]]:
    """Return each word that could hide a call once, with the first line in which it stands."""
    first: dict[str, int] = {}
    for line, statement in _statements(source):
        for word in _words_of(statement):
            first.setdefault(word, line)
    return [(line, word) for word, line in first.items()]


def _statements(source: str) -> Iterator[tuple[int, list[str]]]:
    """First line and tokens of each statement, in pieces if it is long, up to the first error in the source."""
    line, tokens = 0, list[str]()
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NEWLINE:
                yield line, tokens
                tokens = []
            elif token.type not in _LEFT_OUT:
                line = line if tokens else token.start[0]
                # Python reads a name in other letters as the same name.
                name = token.type == tokenize.NAME
                tokens.append(unicodedata.normalize("NFKC", token.string) if name else token.string)
                if len(tokens) == _LONGEST_STATEMENT:
                    yield line, tokens
                    tokens = tokens[-3:]
    except (tokenize.TokenError, SyntaxError):
        yield line, tokens


def _words_of(tokens: list[str]) -> Iterator[str]:
    imports = bool(tokens) and tokens[0] in ("from", "import")
    torch, system = imports and "torch" in tokens, imports and "sys" in tokens
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else ""
        owner = tokens[index - 2] if before == "." and index > 1 else ""
        if (written := _WRITTEN_NAME.fullmatch(token)) is not None:
            yield from (part for part in written[2].split(".") if _is_inside(part))
        elif _is_inside(token):
            if before not in ("def", "class"):
                yield token
        elif token in _OF_TORCH and (torch or owner == "torch"):
            yield token
        elif token in _OF_SYS and (system or owner == "sys"):
            yield token
        elif before in (".", "def"):
            continue
        elif token in _BUILTINS or (token in _LOOKUPS and not _is_written_out(tokens[index + 1 : index + 50])):
            yield token


def _is_inside(name: str) -> bool:
    return name in _INSIDE or (_SPECIAL.fullmatch(name) is not None and _USUAL.fullmatch(name) is None)


def _is_written_out(tokens: list[str]) -> bool:
    """Whether the tokens after ``getattr`` look up an attribute outside PyTorch whose name is in the text."""
    if "," not in tokens or tokens[0] != "(":
        return False
    comma = tokens.index(",")
    name, after = (*tokens[comma + 1 : comma + 3], "", "")[:2]
    return not _OWNERS & set(tokens[:comma]) and _WRITTEN_NAME.fullmatch(name) is not None and after in (",", ")")
