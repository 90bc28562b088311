"""Ways to call attention or softmax although an exercise forbids it: modules with a function ``f(q)``.

``q`` has the shape (1, 2, 4, 8). ``ATTENTION_WAYS`` and ``SOFTMAX_WAYS`` are refused. ``CIRCUMVENTIONS`` avoid the
refusal, because the guard runs in the process that it guards; most of them are visible in the text.
"""

ATTENTION = (
    "torch.nn.functional.scaled_dot_product_attention",
    "torch.nn.functional.multi_head_attention_forward",
    "torch.nn.MultiheadAttention",
    "torch.nn.TransformerEncoderLayer",
)
SOFTMAX = ("torch.softmax", "torch.log_softmax")

_IMPORTS = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"

ATTENTION_WAYS = {
    "by its name": "def f(q): return F.scaled_dot_product_attention(q, q, q)",
    "three axes": "def f(q): return F.scaled_dot_product_attention(q[0], q[0], q[0])",
    "without gradients": """\
@torch.inference_mode()
def f(q): return F.scaled_dot_product_attention(q, q, q)
""",
    "imported under another name": """\
from torch.nn.functional import scaled_dot_product_attention as g
def f(q): return g(q, q, q)
""",
    "a function of torch under the student's name": """\
g = F.scaled_dot_product_attention
def f(q): return g(q, q, q)
""",
    "a concatenated name": "def f(q): return getattr(F, 'scaled_dot_' + 'product_attention')(q, q, q)",
    "executed text": """\
import base64
text = b'def f(q): return F.scaled_dot_product_attention(q, q, q)'
exec(base64.b64decode(base64.b64encode(text)))
""",
    "torch._C": "def f(q): return torch._C._nn.scaled_dot_product_attention(q, q, q)",
    "torch.ops": "def f(q): return torch.ops.aten.scaled_dot_product_attention(q, q, q)",
    "the CPU kernel": """\
g = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
def f(q): return g(q, q, q)[0]
""",
    "the math kernel": "def f(q): return torch.ops.aten._scaled_dot_product_attention_math(q, q, q)[0]",
    "a module": "def f(q): return nn.MultiheadAttention(8, 2, batch_first=True)(q[0], q[0], q[0])[0]",
    "a module, its fast path": """\
def f(q):
    m = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    with torch.no_grad():
        return m(q[0], q[0], q[0], need_weights=False)[0]
""",
    "a subclass of a module": """\
class Mine(nn.MultiheadAttention):
    pass
def f(q): return Mine(8, 2, batch_first=True)(q[0], q[0], q[0])[0]
""",
    "the function of the module": """\
def f(q):
    w = torch.eye(8)
    rest = torch.cat([w, w, w]), None, None, None, False, 0.0, w, None
    return F.multi_head_attention_forward(q[0], q[0], q[0], 8, 2, *rest)[0]
""",
    "a whole layer": "def f(q): return nn.TransformerEncoderLayer(8, 2, batch_first=True)(q[0])",
    "a layer copied from another": """\
import copy
class Mine(nn.TransformerEncoderLayer):
    def __init__(self): super().__init__(8, 2, batch_first=True)
def f(q): return copy.deepcopy(Mine())(q[0])
""",
    "compiled text": """\
text = 'def f(q):\\n    return torch.ops.aten.scaled_dot_product_attention(q, q, q)\\n'
g = torch.jit.CompilationUnit(text).f
def f(q): return g(q)
""",
    "the operator of TorchScript": """\
g = torch._C._jit_get_operation('aten::scaled_dot_product_attention')[0]
def f(q): return g(q, q, q, None, 0.0, False)
""",
    "torch dispatch modes disabled": """\
def f(q):
    with torch._C._DisableTorchDispatch():
        return F.scaled_dot_product_attention(q, q, q)
""",
    "torch function overrides disabled": """\
def f(q):
    with torch._C.DisableTorchFunction():
        return F.scaled_dot_product_attention(q, q, q)
""",
    "an autograd function": """\
class Mine(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q): return F.scaled_dot_product_attention(q, q, q)
    @staticmethod
    def backward(ctx, g): return g
def f(q): return Mine.apply(q)
""",
    "the error caught, and a correct result returned": """\
def f(q):
    try:
        return F.scaled_dot_product_attention(q, q, q)
    except Exception:
        s = torch.exp(q @ q.mT / 8**0.5)
        return s / s.sum(-1, keepdim=True) @ q
""",
    "on tensors without storage": """\
def f(q):
    without = q.to('meta')
    F.scaled_dot_product_attention(without, without, without)
    return q
""",
    "vectorized by vmap": "def f(q): return torch.vmap(lambda x: F.scaled_dot_product_attention(x, x, x))(q)",
}

SOFTMAX_WAYS = {
    "torch.softmax": "def f(q): return torch.softmax(q, -1)",
    "torch.nn.functional": "def f(q): return F.softmax(q, dim=-1)",
    "a tensor method": "def f(q): return q.softmax(-1)",
    "a method of the tensor class": "def f(q): return torch.Tensor.softmax(q, -1)",
    "torch.special": "def f(q): return torch.special.softmax(q, -1)",
    "a module": "def f(q): return nn.Softmax(dim=-1)(q)",
    "a module over channels": "def f(q): return nn.Softmax2d()(q)",
    "softmin": "def f(q): return F.softmin(-q, dim=-1)",
    "log_softmax": "def f(q): return torch.log_softmax(q, -1).exp()",
    "a log_softmax module": "def f(q): return nn.LogSoftmax(dim=-1)(q).exp()",
    "gumbel_softmax": "def f(q): return F.gumbel_softmax(q, tau=1.0, dim=-1)",
    "masked": "def f(q): return torch.masked.softmax(q, -1, mask=q > -9)",
    "the kernel": "def f(q): return torch.ops.aten._softmax(q, -1, False)",
    "the safe kernel": "def f(q): return torch.ops.aten._safe_softmax(q, -1)",
    "into an existing tensor": """\
g = torch.ops.aten._softmax.out
def f(q): return g(q, -1, False, out=torch.empty_like(q))
""",
    "compiled text": """\
g = torch.jit.CompilationUnit('def f(q):\\n    return q.softmax(-1)\\n').f
def f(q): return g(q)
""",
    "compiled from a function": """\
g = torch.jit.trace(torch.nn.Softmax(-1), torch.ones(2))
def f(q): return g(q)
""",
    "another dtype": "def f(q): return torch.softmax(q, -1, dtype=torch.float64)",
    "the function itself": """\
import functools
f = functools.partial(F.softmax, dim=-1)
""",
}

# Honest code, none of which may be refused.
HONEST = {
    "products and exponentials": """\
def f(q):
    scores = torch.exp(q @ q.mT / 8**0.5)
    return scores / scores.sum(-1, keepdim=True) @ q
""",
    "logsumexp": "def f(q): return (q - q.logsumexp(-1, keepdim=True)).exp()",
    "a class and a function of the same name": """\
class MultiheadAttention(nn.Module):
    def forward(self, q): return torch.exp(q)

def softmax(q): return MultiheadAttention()(q)
def f(q): return softmax(q)
""",
    "linears and dropout": "def f(q): return nn.Dropout(0.5)(nn.Linear(8, 8)(q))",
    "names used without a call": """\
same = isinstance(nn.Linear(1, 1), nn.MultiheadAttention)
known = F.scaled_dot_product_attention.__doc__
def f(q): return q
""",
}

# Not refused, because the call fails.
UNUSABLE = {
    "the module of functions reloaded": """\
import importlib
again = importlib.reload(F)
def f(q): return again.scaled_dot_product_attention(q, q, q)
""",
    "attention that is compiled on use": """\
from torch.nn.attention.flex_attention import flex_attention
def f(q): return flex_attention(q, q, q)
""",
}

# The limits of the guard. The second item is the suspicious word in the text, None if there is none.
CIRCUMVENTIONS = {
    "the wrapped function": (
        """\
def f(q):
    made = nn.MultiheadAttention.__new__(nn.MultiheadAttention)
    nn.MultiheadAttention.__init__.__wrapped__(made, 8, 2, batch_first=True)
    return made.out_proj(q)
""",
        None,
    ),
    "the guard found and disabled": (
        """\
import gc
for guard in gc.get_objects():
    if type(guard).__name__ == 'Guard':
        guard._file, guard._others = 'other.py', {__file__}
def f(q): return F.scaled_dot_product_attention(q, q, q)
""",
        "gc",
    ),
    "the record emptied": (
        """\
import gc
def f(q):
    try:
        F.scaled_dot_product_attention(q, q, q)
    except Exception:
        for guard in gc.get_objects():
            if type(guard).__name__ == 'Guard':
                guard._refusals.clear()
    return q
""",
        "gc",
    ),
    "the file of another module": (
        """\
earlier = __file__.replace('submission', 'earlier')
exec(compile('def f(q): return F.scaled_dot_product_attention(q, q, q)', earlier, 'exec'))
""",
        "exec",
    ),
    "a call in an earlier module of the student": (
        """\
from earlier import attention
def f(q): return attention(q)
""",
        None,
    ),
}


def with_imports(source: str) -> str:
    """The text of a module; ``source`` begins in line 4."""
    return _IMPORTS + source + "\n"
