"""Put inputs into fields that feedback could copy."""

from tiny_answers import answering

ATTACKS = {
    "inputs in an error's text": answering("""
def answer(*args):
    raise ValueError(f"LEAK {args}")
"""),
    "inputs in an error's name": answering("""
def answer(*args):
    raise type("LEAK" + str(args)[:50], (Exception,), {})
"""),
    "inputs in what is printed": answering("""
import sys


def answer(*args):
    print("LEAK", args)
    print("LEAK", args, file=sys.stderr)
    return None
"""),
    "inputs in a function's name": answering("""
def answer(*args):
    def LEAK():
        raise ValueError

    LEAK.__code__ = LEAK.__code__.replace(co_name="LEAK" + str(args)[:50])
    LEAK()
"""),
    "inputs in a type's name": answering("""
def answer(*args):
    return type("LEAK" + str(args)[:50], (), {})()
"""),
    "inputs in a line's number": answering("""
def answer(*args):
    def far():
        raise ValueError

    far.__code__ = far.__code__.replace(co_firstlineno=4242)
    far()
"""),
    "inputs in the notes of an error": answering("""
def answer(*args):
    error = ValueError()
    error.add_note(f"LEAK {args}")
    raise error
"""),
    "inputs in the cause of an error": answering("""
def answer(*args):
    raise ValueError from KeyError(f"LEAK {args}")
"""),
    "inputs in the name of a module": answering("""
def answer(*args):
    Error = type("Error", (Exception,), {"__module__": f"LEAK {args}", "__qualname__": f"LEAK {args}"})
    raise Error
"""),
    "inputs in a file's name": answering("""
def answer(*args):
    raise SyntaxError("no", (f"LEAK {args}", 4242, 1, "LEAK", 4242, 2))
"""),
    "inputs in a file that was executed": answering("""
def answer(*args):
    exec(compile("raise ValueError", f"LEAK {args}", "exec"))
"""),
    "inputs in the name of an attribute": answering("""
def answer(*args):
    raise AttributeError(name=f"LEAK {args}", obj=args)
"""),
    "inputs in the name of a missing module": answering("""
def answer(*args):
    raise ModuleNotFoundError(f"No module named 'LEAK{args}'", name=f"LEAK{args}")
"""),
    "inputs in a key": answering("""
def answer(*args):
    return {f"LEAK {args}": 1}
"""),
    "inputs in a device": answering("""
import torch


def answer(*args):
    return torch.device("meta:7")
"""),
    "inputs as the last words of a process": answering("""
import os


def answer(*args):
    os.write(2, f"LEAK {args}".encode())
    os._exit(42)
"""),
    "inputs in a warning": answering("""
import warnings


def answer(*args):
    warnings.warn(f"LEAK {args}")
"""),
    "a workflow command": answering("""
def answer(*args):
    print("::error file=LEAK::LEAK")
    print("##[error]LEAK")
    raise ValueError("\\n::error::LEAK")
"""),
    "an escape sequence": answering("""
def answer(*args):
    raise type("\\x1b[31mLEAK", (Exception,), {})("\\x1b]0;LEAK\\x07")
"""),
    "a tag": answering("""
def answer(*args):
    raise type("<script>LEAK</script>", (Exception,), {})
"""),
}
