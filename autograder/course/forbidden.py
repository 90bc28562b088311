"""Functions and classes of PyTorch that an exercise can forbid, and the kernels that they run.

The table is written by hand because ``grading.yml`` is read without loading torch. To forbid another function or
class, add a row.
"""

from collections.abc import Mapping
from types import MappingProxyType

_ATTENTION = (
    "scaled_dot_product_attention",
    "_scaled_dot_product_attention_math",
    "_scaled_dot_product_flash_attention_for_cpu",
)
_LAYER_NORM = ("layer_norm", "native_layer_norm")
_RMS_NORM = ("rms_norm", "_fused_rms_norm")
_GELU = ("gelu", "gelu_")
_CROSS_ENTROPY = ("cross_entropy_loss",)
_NLL = ("nll_loss", "nll_loss_nd", "nll_loss_forward", "nll_loss2d_forward")
_FAST_LAYER = ("_transformer_encoder_layer_fwd",)

# Full name → names of ATen kernels. A kernel is refused however it is called: ``torch.softmax`` covers ``F.softmax``,
# ``x.softmax`` and ``nn.Softmax`` too. A function or class without a kernel of its own is refused by name.
FORBIDDABLE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "torch.softmax": ("_softmax", "_masked_softmax"),
        "torch.log_softmax": ("_log_softmax",),
        "torch.logsumexp": ("logsumexp",),
        "torch.nn.functional.scaled_dot_product_attention": _ATTENTION,
        "torch.nn.functional.multi_head_attention_forward": ("_native_multi_head_attention",),
        "torch.nn.MultiheadAttention": ("_native_multi_head_attention",),
        "torch.nn.Transformer": (),
        "torch.nn.TransformerEncoder": (),
        "torch.nn.TransformerEncoderLayer": _FAST_LAYER,
        "torch.nn.TransformerDecoder": (),
        "torch.nn.TransformerDecoderLayer": (),
        "torch.nn.functional.layer_norm": _LAYER_NORM,
        "torch.nn.LayerNorm": _LAYER_NORM,
        "torch.nn.functional.group_norm": ("group_norm", "native_group_norm"),
        "torch.nn.functional.rms_norm": _RMS_NORM,
        "torch.nn.RMSNorm": _RMS_NORM,
        "torch.nn.functional.gelu": _GELU,
        "torch.nn.GELU": _GELU,
        "torch.nn.functional.cross_entropy": _CROSS_ENTROPY,
        "torch.nn.CrossEntropyLoss": _CROSS_ENTROPY,
        "torch.nn.functional.nll_loss": _NLL,
        "torch.nn.NLLLoss": _NLL,
        "torch.optim.Adam": ("_fused_adam_",),
        "torch.optim.AdamW": ("_fused_adamw_",),
        "torch.nn.utils.clip_grad_norm_": (),
        "torch.nn.utils.clip_grads_with_norm_": (),
        "torch.nn.utils.get_total_norm": (),
    }
)


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
