"""Ways to call attention or softmax although an exercise forbids it: modules with a function ``f(q)``.

``q`` has the shape (1, 2, 4, 8). Those in ``…_WAYS`` are refused. ``CIRCUMVENTIONS`` avoid the
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
    "the wrapped function": """\
def f(q):
    made = nn.MultiheadAttention.__new__(nn.MultiheadAttention)
    nn.MultiheadAttention.__init__.__wrapped__(made, 8, 2, batch_first=True)
    return made(q[0], q[0], q[0])[0]
""",
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

NORMALISATION = ("normalisation",)
NORMALISATION_WAYS = {
    "layer_norm": "def f(q): return F.layer_norm(q, (8,))",
    "torch.layer_norm": "def f(q): return torch.layer_norm(q, (8,))",
    "torch.native_layer_norm": "def f(q): return torch.native_layer_norm(q, (8,), None, None, 1e-5)[0]",
    "a method of torch._VF": "def f(q): return torch._VF.layer_norm(q, (8,), None, None, 1e-5, False)",
    "rms_norm of centred vectors": "def f(q): return F.rms_norm(q - q.mean(-1, keepdim=True), (8,))",
    "the fused kernel": "def f(q): return torch.ops.aten._fused_rms_norm(q, (8,), None, 1e-5)[0]",
    "group_norm": "def f(q): return F.group_norm(q.reshape(-1, 8), 1).reshape(q.shape)",
    "the kernel of group_norm": """\
def f(q): return torch.native_group_norm(q.reshape(8, 8), None, None, 8, 8, 1, 1, 1e-5)[0]
""",
    "a GroupNorm module": "def f(q): return nn.GroupNorm(1, 8)(q.reshape(-1, 8)).reshape(q.shape)",
    "batch_norm of the transpose": "def f(q): return F.batch_norm(q.reshape(8, 8).T, None, None, training=True).T",
    "the kernel of batch_norm": """\
def f(q): return torch.native_batch_norm(q.reshape(8, 8).T, None, None, None, None, True, 0.1, 1e-5)[0]
""",
    "another kernel of batch_norm": """\
g = torch.ops.aten._native_batch_norm_legit.no_stats
def f(q): return g(q.reshape(8, 8).T, None, None, True, 0.1, 1e-5)[0]
""",
    "instance_norm": "def f(q): return F.instance_norm(q[0])",
    "an InstanceNorm module": "def f(q): return nn.InstanceNorm1d(2)(q[0])",
    "a module that is a subclass": """\
class Mine(nn.modules.batchnorm._BatchNorm):
    def _check_input_dim(self, x): pass
def f(q): return Mine(8)(q.reshape(8, 8).T).T
""",
    "the version in Python": "def f(q): return torch._refs.native_layer_norm(q, (8,), None, None, 1e-5)[0]",
    "the function of the version in Python": "def f(q): return torch._refs.nn.functional.layer_norm(q, (8,))",
    "the decomposition": """\
from torch._decomp import decomposition_table
g = decomposition_table[torch.ops.aten.native_layer_norm.default]
def f(q): return g(q, (8,), None, None, 1e-5)[0]
""",
    "the decomposition of group_norm": """\
from torch._decomp import get_decompositions
operator = torch.ops.aten.native_group_norm.default
g = get_decompositions([operator])[operator]
def f(q): return g(q.reshape(8, 8), None, None, 8, 8, 1, 1, 1e-5)[0]
""",
    "a module of quantized layers": """\
def f(q): return torch.ao.nn.quantized.LayerNorm(8, torch.ones(8), torch.zeros(8), 1.0, 0)(q)
""",
    "a module without its constructor": """\
def f(q):
    norm = nn.LayerNorm.__new__(nn.LayerNorm)
    nn.Module.__init__(norm)
    norm.normalized_shape, norm.weight, norm.bias, norm.eps = (8,), None, None, 1e-5
    return norm(q)
""",
}

OPTIMIZER = ("optimizer",)
_STEP = "w = q.clone().requires_grad_(); w.grad = torch.ones_like(w)"
_STATE = "[w], [w.grad], [torch.zeros_like(w)], [torch.zeros_like(w)], [], [torch.tensor(0.0)]"
_RATES = "amsgrad=False, beta1=0.9, beta2=0.999, lr=1e-3, weight_decay=0.01, eps=1e-8, maximize=False"
OPTIMIZER_WAYS = {
    "AdamW": f"def f(q): {_STEP}; torch.optim.AdamW([w]).step(); return w",
    "NAdam": f"def f(q): {_STEP}; torch.optim.NAdam([w], decoupled_weight_decay=True).step(); return w",
    "a subclass": f"""\
class Mine(torch.optim.AdamW): pass
def f(q): {_STEP}; Mine([w]).step(); return w
""",
    "the class in its own module": f"""\
from torch.optim.adamw import AdamW as g
def f(q): {_STEP}; g([w]).step(); return w
""",
    "an object without its constructor": f"""\
def f(q):
    {_STEP}
    made = torch.optim.AdamW.__new__(torch.optim.AdamW)
    torch.optim.Optimizer.__init__(made, [w], dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01,
        amsgrad=False, foreach=None, maximize=False, capturable=False, differentiable=False, fused=None,
        decoupled_weight_decay=True))
    made.step()
    return w
""",
    "the step of another class": f"""\
class Mine(torch.optim.Optimizer):
    def __init__(self, params): super().__init__(params, {{'lr': 1e-3}})
    step = torch.optim.Adam.step
def f(q): {_STEP}; Mine([w]).step(); return w
""",
    "the function": f"""\
from torch.optim.adamw import adamw
def f(q): {_STEP}; adamw({_STATE}, {_RATES}); return w
""",
    "the function under its old name": f"""\
from torch.optim._functional import adamw
def f(q): {_STEP}; adamw({_STATE}, {_RATES}); return w
""",
    "the function of one tensor": f"""\
from torch.optim.adam import _single_tensor_adam as g
def f(q): {_STEP}; g({_STATE}, grad_scale=None, found_inf=None, has_complex=False, {_RATES}); return w
""",
    "the fused kernel": f"def f(q): {_STEP}; torch._fused_adamw_({_STATE}, {_RATES}); return w",
}

# Ways that were open once; the guard must report these calls as well.
CLOSED_WAYS = {
    "the record emptied": """\
import gc
def f(q):
    try:
        F.scaled_dot_product_attention(q, q, q)
    except Exception:
        for guard in gc.get_objects():
            if type(guard).__name__ == 'Guard':
                guard._reported.clear()
    return q
""",
    "the guard in the refusal's traceback": """\
def f(q):
    try:
        return F.scaled_dot_product_attention(q, q, q)
    except Exception as error:
        trace = error.__traceback__
        while 'self' not in trace.tb_frame.f_locals:
            trace = trace.tb_next
        trace.tb_frame.f_locals['self']._watching = False
    return F.scaled_dot_product_attention(q, q, q)
""",
    "the process ended after the call": """\
import os
def f(q):
    try:
        return F.scaled_dot_product_attention(q, q, q)
    finally:
        os._exit(0)
""",
    "a helper in an earlier module": """\
import earlier
def f(q): return earlier.helper(q)
""",
    "a helper in an earlier module under the name of the exercise": "from earlier import helper as f",
    "the file of another module": """\
earlier = __file__.replace('submission', 'earlier')
exec(compile('def f(q): return F.scaled_dot_product_attention(q, q, q)', earlier, 'exec'))
""",
    "a code object that names another module": """\
def f(q): return F.scaled_dot_product_attention(q, q, q)
f.__code__ = f.__code__.replace(co_filename=__file__.replace('submission', 'earlier'))
""",
}

# The limits of the guard. The second item is a suspicious word in the text, None if there is none.
CIRCUMVENTIONS = {
    "the guard found and disabled": (
        """\
import gc
for guard in gc.get_objects():
    if type(guard).__name__ == 'Guard':
        guard._file, guard._others = 'other.py', {__file__: None}
def f(q): return F.scaled_dot_product_attention(q, q, q)
""",
        "gc",
    ),
    "the guard found on the stack": (
        """\
import inspect
for found in inspect.stack():
    executor = found.frame.f_locals.get('self')
    if hasattr(executor, '_guard'):
        executor._guard._watching = False
        executor._guard.remove()
def f(q): return F.scaled_dot_product_attention(q, q, q)
""",
        "inspect",
    ),
    "the guard found from a traceback": (
        """\
def disable(frame):
    while frame is not None:
        executor = frame.f_locals.get('self')
        if hasattr(executor, '_guard'):
            executor._guard.remove()
        frame = frame.f_back
try:
    1 / 0
except ZeroDivisionError as error:
    disable(error.__traceback__.tb_frame)
def f(q): return F.scaled_dot_product_attention(q, q, q)
""",
        "f_locals",
    ),
    "the function in the wrapper": (
        """\
def f(q):
    made = nn.MultiheadAttention.__new__(nn.MultiheadAttention)
    nn.MultiheadAttention.__init__.__closure__[0].cell_contents(made, 8, 2, batch_first=True)
    return made.out_proj(q)
""",
        "__new__",
    ),
    "a call in an exercise of an earlier module": (
        """\
from earlier import exercise
def f(q): return exercise(q)
""",
        None,
    ),
}


def with_imports(source: str) -> str:
    """The text of a module; ``source`` begins in line 4."""
    return _IMPORTS + source + "\n"
