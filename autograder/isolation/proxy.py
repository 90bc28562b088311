"""The judge's view of a submission: remote functions and objects, used like local functions and objects.

``student.softmax(x, dim=-1)`` calls the submission's ``softmax``; ``student.Encoder(2, 16)`` creates a
module in the submission's process. Autograd works across the boundary: gradients of the outputs reach
the tensors passed as arguments. Parameters of remote modules accumulate their gradients in the worker.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch.autograd.function import once_differentiable

from autograder.isolation.errors import DeathReason, WorkerDied
from autograder.isolation.wire import Handle, Reference, tensors_in


class Session(Protocol):
    """An object that runs an executor's operations: a worker, trusted code, or a recorder around either."""

    def request(self, op: str, **arguments: Any) -> Any:
        """Run one operation and return its value."""


class _Attributes:
    """An object whose attributes are remote functions, created on access."""

    def __init__(self, session: Session, target: Handle | Reference | None) -> None:
        self._session = session
        self._target = target

    def __getattr__(self, name: str) -> "RemoteFunction":
        if name.startswith("_"):  # Python and its tools look these up; they are never the submission's
            raise AttributeError(name)
        match self._target:
            case Handle(id):
                return RemoteFunction(self._session, Reference(name, id))
            case Reference(path, owner):
                return RemoteFunction(self._session, Reference(f"{path}.{name}", owner))
            case _:
                return RemoteFunction(self._session, Reference(name))


class RemoteFunction(_Attributes):
    """A function, class or method of the submission. Call it, or pass it as an argument."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function in the worker; objects that cannot be sent come back as ``RemoteObject``s.

        Raises:
            SubmissionError: The function raised.
            WorkerDied: The worker ended, or its reply was invalid.
        """
        return _call(self._session, _target_of(self), args, kwargs)

    def __repr__(self) -> str:
        return f"<remote {_name_of(_target_of(self))}>"


class RemoteObject(_Attributes):
    """An object that lives in the worker. Its truth value is always True.

    It is not iterable: iteration over a submission's object might never end.
    """

    __iter__ = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object itself: the forward pass of a module."""
        return _call(self._session, _target_of(self), args, kwargs)

    def __len__(self) -> int:
        return int(self._special("__len__"))

    def __getitem__(self, index: Any) -> Any:
        return self._special("__getitem__", index)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<remote {_name_of(_target_of(self))} object>"

    def _special(self, name: str, *args: Any) -> Any:
        handle = _target_of(self)
        assert isinstance(handle, Handle)
        return _call(self._session, Reference(name, handle.id), args, {})


class Student(_Attributes):
    """A loaded submission, with its functions and classes as attributes."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, None)

    def __repr__(self) -> str:
        return "<student>"


class Namespace:
    """The functions and classes of a helper defined in the submission's process."""

    def __init__(self, functions: Mapping[str, RemoteFunction]) -> None:
        self._functions = dict(functions)

    def __getattr__(self, name: str) -> RemoteFunction:
        if name.startswith("_") or name not in self._functions:
            raise AttributeError(f"the helper has no function {name!r}; it defines {', '.join(self._functions)}")
        return self._functions[name]


def define(student: Student, source: str) -> Namespace:
    """Run helper code in the submission's process; its functions can be called and passed as arguments."""
    handles: Any = student._session.request("define", source=source)
    if not isinstance(handles, dict) or not all(isinstance(handle, Handle) for handle in handles.values()):
        raise WorkerDied(DeathReason.PROTOCOL, "the functions of a helper are not handles")
    return Namespace({name: RemoteFunction(student._session, handle) for name, handle in handles.items()})


def remote_value(owner: Student | RemoteObject | RemoteFunction, path: str) -> Any:
    """The value of an attribute, as in ``remote_value(module, "training")``; ``path`` may be dotted."""
    target = _target_of(getattr(owner, path))
    return _adopt(owner._session, owner._session.request("value", target=target))


def gradients(module: RemoteObject) -> dict[str, torch.Tensor | None]:
    """The gradient of each parameter of a remote module by name; None for a parameter without a gradient."""
    by_name: dict[str, torch.Tensor | None] = module._session.request("gradients", target=_target_of(module))
    return by_name


def _target_of(remote: _Attributes) -> Handle | Reference:
    target = remote._target
    if target is None:
        raise TypeError("the submission itself cannot be called or passed; use one of its functions")
    return target


def _name_of(target: Handle | Reference) -> str:
    return target.path if isinstance(target, Reference) else target.type


def _adopt(session: Session, value: Any) -> Any:
    """Wrap the handles in a reply, at any depth."""
    if isinstance(value, Handle):
        return RemoteObject(session, value)
    if isinstance(value, (list, tuple)):
        return type(value)(_adopt(session, item) for item in value)
    if isinstance(value, dict):
        return {key: _adopt(session, item) for key, item in value.items()}
    return value


def _rewrite(value: Any, change: Callable[[Any], Any]) -> Any:
    """Apply ``change`` to the values in lists, tuples and dicts, at any depth."""
    if isinstance(value, (list, tuple)):
        return type(value)(_rewrite(item, change) for item in value)
    if isinstance(value, dict):
        return {key: _rewrite(item, change) for key, item in value.items()}
    return change(value)


def _outgoing(value: Any) -> Any:
    """An argument as it is sent: a proxy as its target, a tensor as a leaf of a new graph."""
    if isinstance(value, _Attributes):
        return _target_of(value)
    if isinstance(value, torch.Tensor):
        return value.detach().requires_grad_(value.requires_grad and torch.is_grad_enabled())
    return value


def _call(session: Session, target: Handle | Reference, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    sent_args = _rewrite(list(args), _outgoing)
    sent_kwargs = _rewrite(dict(kwargs), _outgoing)
    grad = torch.is_grad_enabled()
    reply = session.request("call", target=target, args=sent_args, kwargs=sent_kwargs, grad=grad)
    match reply:
        case (value, int(graph), list(flags)) if len(outputs := list(tensors_in(value))) == len(flags):
            pass
        case _:
            raise WorkerDied(DeathReason.PROTOCOL, "the reply to a call is not a result")
    if graph and grad:
        leaves = [tensor for tensor in tensors_in([list(args), dict(kwargs)]) if tensor.requires_grad]
        # A call that differentiates parameters alone has no leaf here; the anchor triggers its backward pass.
        anchor = torch.zeros((), requires_grad=True)
        joined = iter(_Join.apply(session, graph, flags, outputs, anchor, *leaves))  # type: ignore[no-untyped-call]
        value = _rewrite(value, lambda item: next(joined) if isinstance(item, torch.Tensor) else item)
    return _adopt(session, value)


class _Join(torch.autograd.Function):
    """A node in the judge's autograd graph whose outputs are the tensors of a reply."""

    @staticmethod
    def forward(
        ctx: Any,
        session: Session,
        graph: int,
        flags: Sequence[bool],
        outputs: Sequence[torch.Tensor],
        anchor: torch.Tensor,
        *leaves: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        ctx.session, ctx.graph = session, graph
        ctx.shapes = [(leaf.shape, leaf.dtype) for leaf in leaves]
        ctx.save_for_backward(anchor)
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*[output for output, flag in zip(outputs, flags, strict=True) if not flag])
        return tuple(outputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *cotangents: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        # Raises on a second pass unless the first one retained the graph, as PyTorch does.
        _ = ctx.saved_tensors
        gradients = ctx.session.request("vjp", graph=ctx.graph, cotangents=list(cotangents))
        if not (isinstance(gradients, list) and len(gradients) == len(ctx.shapes)):
            raise WorkerDied(DeathReason.PROTOCOL, "the reply to a backward pass is not one gradient per input")
        for gradient, (shape, dtype) in zip(gradients, ctx.shapes, strict=True):
            plain = isinstance(gradient, torch.Tensor) and gradient.shape == shape and gradient.dtype == dtype
            if gradient is not None and not plain:
                raise WorkerDied(DeathReason.PROTOCOL, "a gradient differs from its tensor in shape or dtype")
        return (None, None, None, None, None, *gradients)
