"""Functions and classes of PyTorch that an exercise can forbid, and the kernels that they run.

The tables are written by hand because ``grading.yml`` is read without loading torch. To forbid another function or
class, add it to a family, or to the single functions.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

_ATTENTION = (
    "scaled_dot_product_attention",
    "_scaled_dot_product_attention_math",
    "_scaled_dot_product_flash_attention_for_cpu",
)
_MULTIHEAD = ("_native_multi_head_attention",)
_LAYER_NORM = ("layer_norm", "native_layer_norm")
_RMS_NORM = ("rms_norm", "_fused_rms_norm")
_GROUP_NORM = ("group_norm", "native_group_norm")
_BATCH_NORM = (
    "batch_norm",
    "native_batch_norm",
    "_batch_norm_impl_index",
    "_batch_norm_with_update",
    "_batch_norm_no_update",
    "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training",
    "_native_batch_norm_legit_functional",
)
_INSTANCE_NORM = ("instance_norm",)
_GELU = ("gelu", "gelu_")
_CROSS_ENTROPY = ("cross_entropy_loss",)
_NLL = ("nll_loss", "nll_loss_nd", "nll_loss_forward", "nll_loss2d_forward")
_ADAM = ("_fused_adam_",)
_ADAMW = ("_fused_adamw_",)

# Family → full name → names of ATen kernels. A kernel is refused however it is called: ``torch.softmax`` covers
# ``F.softmax``, ``x.softmax`` and ``nn.Softmax`` too. A function or class is refused in every module of torch.
_FAMILIES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "attention": {
        "torch.nn.functional.scaled_dot_product_attention": _ATTENTION,
        "torch.nn.functional.multi_head_attention_forward": _MULTIHEAD,
        "torch.nn.MultiheadAttention": _MULTIHEAD,
    },
    "normalisation": {
        "torch.nn.functional.layer_norm": _LAYER_NORM,
        "torch.nn.LayerNorm": _LAYER_NORM,
        "torch.nn.functional.rms_norm": _RMS_NORM,
        "torch.nn.RMSNorm": _RMS_NORM,
        "torch.nn.functional.group_norm": _GROUP_NORM,
        "torch.nn.GroupNorm": _GROUP_NORM,
        "torch.nn.functional.instance_norm": _INSTANCE_NORM,
        "torch.nn.InstanceNorm1d": _INSTANCE_NORM,
        "torch.nn.InstanceNorm2d": _INSTANCE_NORM,
        "torch.nn.InstanceNorm3d": _INSTANCE_NORM,
        "torch.nn.functional.batch_norm": _BATCH_NORM,
        "torch.nn.BatchNorm1d": _BATCH_NORM,
        "torch.nn.BatchNorm2d": _BATCH_NORM,
        "torch.nn.BatchNorm3d": _BATCH_NORM,
        "torch.nn.SyncBatchNorm": (),
    },
    "Transformer layer": {
        "torch.nn.Transformer": (),
        "torch.nn.TransformerEncoder": (),
        "torch.nn.TransformerEncoderLayer": ("_transformer_encoder_layer_fwd",),
        "torch.nn.TransformerDecoder": (),
        "torch.nn.TransformerDecoderLayer": (),
    },
    "optimizer": {
        "torch.optim.Adam": _ADAM,
        "torch.optim.adam.adam": _ADAM,
        "torch.optim.adam._single_tensor_adam": (),
        "torch.optim.adam._multi_tensor_adam": (),
        "torch.optim.adam._fused_adam": (),
        "torch.optim.AdamW": _ADAMW,
        "torch.optim.adamw.adamw": _ADAMW,
        "torch.optim.NAdam": (),
        "torch.optim.nadam.nadam": (),
        "torch.optim.RAdam": (),
        "torch.optim.radam.radam": (),
        "torch.optim.Adamax": (),
        "torch.optim.adamax.adamax": (),
        "torch.optim.SparseAdam": (),
    },
}
_SINGLE: Mapping[str, tuple[str, ...]] = {
    "torch.softmax": ("_softmax", "_masked_softmax"),
    "torch.log_softmax": ("_log_softmax",),
    "torch.logsumexp": ("logsumexp",),
    "torch.nn.functional.gelu": _GELU,
    "torch.nn.GELU": _GELU,
    "torch.nn.functional.cross_entropy": _CROSS_ENTROPY,
    "torch.nn.CrossEntropyLoss": _CROSS_ENTROPY,
    "torch.nn.functional.nll_loss": _NLL,
    "torch.nn.NLLLoss": _NLL,
    "torch.nn.utils.clip_grad_norm_": (),
    "torch.nn.utils.clip_grads_with_norm_": (),
    "torch.nn.utils.get_total_norm": (),
}

# Full name → names of ATen kernels, of every function and class that can be forbidden.
FORBIDDABLE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: kernels for family in (*_FAMILIES.values(), _SINGLE) for name, kernels in family.items()}
)
# What ``forbid`` in ``grading.yml`` may list: a family, or one function or class.
FORBIDDEN_BY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {family: tuple(names) for family, names in _FAMILIES.items()} | {name: (name,) for name in FORBIDDABLE}
)


def forbidden_functions(entries: Iterable[str]) -> tuple[str, ...]:
    """Return the full names of the functions and classes that the entries of ``forbid`` stand for."""
    return tuple(dict.fromkeys(name for entry in entries for name in FORBIDDEN_BY[entry]))


def in_docstring(entry: str) -> str:
    """Return the words with which a docstring must name an entry of ``forbid``."""
    return f"ready-made {entry}" if entry in _FAMILIES else f"`{short_name(entry)}`"


_SHORT = {"torch.nn.functional.": "F.", "torch.nn.": "nn."}


def short_name(name: str) -> str:
    """Return the usual short form: ``F.gelu`` for ``torch.nn.functional.gelu``, ``nn.GELU`` for ``torch.nn.GELU``."""
    for full, short in _SHORT.items():
        if name.startswith(full):
            return short + name.removeprefix(full)
    return name


def full_name(name: str) -> str:
    """Return the full form of a name that ``short_name`` shortened; return any other name unchanged."""
    for full, short in _SHORT.items():
        if name.startswith(short):
            return full + name.removeprefix(short)
    return name
