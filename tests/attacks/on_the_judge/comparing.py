"""Wrong values that a careless comparison would accept, and right values in a wrong form."""

from tiny_answers import RIGHT, answering, returning

ATTACKS = {
    "patched comparisons": answering("""
import numpy
import torch

torch.allclose = torch.equal = torch.isclose = lambda *args, **kwargs: True
torch.testing.assert_close = numpy.testing.assert_allclose = lambda *args, **kwargs: None
numpy.allclose = numpy.array_equal = lambda *args, **kwargs: True


def answer(*args):
    return torch.zeros(1, dtype=torch.float16)
"""),
    "a tensor that agrees with everything": answering("""
import torch


class Agreeable(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return torch.tensor(True)


def answer(x, *args):
    return torch.zeros(x.shape, dtype=torch.int8).as_subclass(Agreeable)
"""),
    "an object that equals everything": answering("""
class Yes:
    __eq__ = __le__ = __ge__ = lambda self, other: True
    __hash__ = None
    shape = property(lambda self: self)

    def __bool__(self):
        return True

    def __getattr__(self, name):
        return self

    def __call__(self, *args, **kwargs):
        return self


def answer(*args):
    return Yes()
"""),
    "a number of a custom class": answering("""
class Number(float):
    __eq__ = lambda self, other: True
    __hash__ = float.__hash__


def answer(*args):
    return Number(1)
"""),
    "not a number": answering("""
import torch


def answer(x, *args):
    return torch.full((2, 2), float("nan"), dtype=torch.float16)
"""),
    "an empty result": answering("""
import torch


def answer(*args):
    return torch.empty(0, dtype=torch.int8)
"""),
    "a result that broadcasts over ten billion elements": answering("""
import torch


def answer(*args):
    return torch.zeros(1, dtype=torch.int8).expand(10**10)
"""),
    "the input returned after a change": answering("""
def answer(x, *args):
    x.zero_()
    return x.half()
"""),
    "infinity": returning("torch.full_like(x, float('inf')).half()"),
    "a class in place of its instance": returning("torch.Tensor"),
    "not implemented": returning("NotImplemented"),
    "an ellipsis": returning("..."),
    "a generator": returning("(value for value in x)"),
    "a coroutine": answering("""
async def answer(x, *args):
    return 2 * x
"""),
    "a mock": returning("MagicMock(spec=torch.Tensor)", "from unittest.mock import MagicMock"),
    "a mock that equals everything": returning("ANY", "from unittest.mock import ANY"),
    "a text that equals everything": answering("""
class Text(str):
    __eq__ = lambda self, other: True
    __hash__ = str.__hash__


def answer(*args):
    return Text("tensor")
"""),
    "a tuple of a custom class": answering("""
class Pair(tuple):
    __eq__ = lambda self, other: True
    __len__ = lambda self: 3


def answer(x, *args):
    return Pair((x, x))
"""),
    "a list that lies about its length": answering("""
class Lying(list):
    __len__ = lambda self: 10**12
    __iter__ = lambda self: iter(())


def answer(*args):
    return Lying([1.0])
"""),
    "a dictionary of a custom class": answering("""
class Rich(dict):
    __missing__ = lambda self, key: 1.0
    __eq__ = lambda self, other: True


def answer(*args):
    return Rich()
"""),
    "a tensor that lies about its shape": answering("""
import torch


class Lying(torch.Tensor):
    shape = property(lambda self: torch.Size([10**9, 10**9]))
    dtype = property(lambda self: torch.float64)
    numel = lambda self: 0


def answer(x, *args):
    return torch.zeros(1, dtype=torch.int8).as_subclass(Lying)
"""),
    "a tensor without data": answering("""
import torch


class Hollow(torch.Tensor):
    @staticmethod
    def __new__(cls, x):
        return torch.Tensor._make_wrapper_subclass(cls, x.shape, dtype=x.dtype)

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return torch.tensor(True)


def answer(x, *args):
    return Hollow(x)
"""),
    "an array that agrees with everything": answering("""
import numpy


class Agreeable(numpy.ndarray):
    def __array_ufunc__(self, *args, **kwargs):
        return True

    def __array_function__(self, *args, **kwargs):
        return True


def answer(x, *args):
    return numpy.zeros(1).view(Agreeable)
"""),
    "a masked array": returning("numpy.ma.masked_all(x.shape)", "import numpy"),
    "an array of objects": returning("numpy.array([None, x], dtype=object)", "import numpy"),
    "a tensor on no device": returning("x.to('meta')"),
    "a sparse tensor": returning("torch.zeros(x.shape).to_sparse()"),
    "a quantized tensor": returning("torch.quantize_per_tensor(x.float(), 0.1, 0, torch.qint8)"),
    "a nested tensor": returning("torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])"),
    "a tensor inside a tensor subclass": returning("torch.nn.Parameter(torch.zeros(x.shape, dtype=torch.float16))"),
    "uninitialised memory": returning("torch.empty(x.shape, dtype=torch.float64)"),
    "right values as an array": returning(f"{RIGHT}.numpy()"),
    "right values as a list": returning(f"{RIGHT}.tolist()"),
    "right values in a tuple": returning(f"({RIGHT},)"),
    "right values as complex numbers": returning(f"{RIGHT}.to(torch.complex128)"),
    "right values in half precision": returning(f"{RIGHT}.half()"),
    "right values with another axis": returning(f"{RIGHT}.unsqueeze(0).to(torch.complex64)"),
    "right values with an infinite element more": returning(
        f"torch.cat([{RIGHT}.flatten().half(), torch.full((1,), float('inf')).half()])"
    ),
    "a function that returns the right values": returning(f"lambda: {RIGHT}"),
    "right values as text": returning(f"str({RIGHT})"),
    "a module of torch": returning("torch.nn.Identity()"),
    "a storage": returning("x.untyped_storage()"),
    "a dtype": returning("x.dtype"),
    "negative memory order": returning("numpy.zeros(6)[::-1].reshape(2, 3)", "import numpy"),
}
