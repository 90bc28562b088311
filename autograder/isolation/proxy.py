"""The judge's view of a submission: remote functions and objects that read like local ones.

``student.softmax(x, dim=-1)`` calls the submission's ``softmax``; ``student.Encoder(2, 16)`` makes a
module that lives beside it. Autograd passes through: gradients of what comes back reach the tensors
that went in, and the parameters of remote modules collect theirs where they live.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch.autograd.function import once_differentiable

from autograder.isolation.errors import DeathReason, WorkerDied
from autograder.isolation.wire import Handle, Reference, tensors_in


class Session(Protocol):
    """Whatever runs an executor's operations: a worker, trusted code, or a recorder around either."""

    def request(self, op: str, **arguments: Any) -> Any:
        """Run one operation and return its value."""


class _Attributes:
    """Attributes are remote functions, made as they are asked for."""

    def __init__(self, session: Session, target: Handle | Reference | None) -> None:
        self._session = session
        self._target = target

    def __getattr__(self, name: str) -> "RemoteFunction":
        if name.startswith("_"):  # what Python and its tools look for is not the submission's
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
        """Call it in the worker; objects that cannot travel come back as ``RemoteObject``s.

        Raises:
            SubmissionError: it raised.
            WorkerDied: the worker ended, or its reply was no reply.
        """
        return _call(self._session, _target_of(self), args, kwargs)

    def __repr__(self) -> str:
        return f"<remote {_name_of(_target_of(self))}>"


class RemoteObject(_Attributes):
    """An object that lives in the worker. It is true, whatever it holds.

    It cannot be iterated over: a submission's object could go on for ever.
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
    """A loaded submission; its functions and classes are attributes."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, None)

    def __repr__(self) -> str:
        return "<student>"


class Namespace:
    """The functions and classes of a helper that was defined beside the submission."""

    def __init__(self, functions: Mapping[str, RemoteFunction]) -> None:
        self._functions = dict(functions)

    def __getattr__(self, name: str) -> RemoteFunction:
        if name.startswith("_") or name not in self._functions:
            raise AttributeError(f"the helper defines no function {name!r}; it defines {', '.join(self._functions)}")
        return self._functions[name]


def define(student: Student, source: str) -> Namespace:
    """Run a helper of ours beside the submission; its functions can be called and passed as arguments."""
    handles: Any = student._session.request("define", source=source)
    if not isinstance(handles, dict) or not all(isinstance(handle, Handle) for handle in handles.values()):
        raise WorkerDied(DeathReason.PROTOCOL, "a helper's functions are no handles")
    return Namespace({name: RemoteFunction(student._session, handle) for name, handle in handles.items()})


def remote_value(owner: Student | RemoteObject | RemoteFunction, path: str) -> Any:
    """The value of an attribute, such as ``remote_value(module, "training")``; dots reach deeper."""
    target = _target_of(getattr(owner, path))
    return _adopt(owner._session, owner._session.request("value", target=target))


def gradients(module: RemoteObject) -> dict[str, torch.Tensor | None]:
    """The gradient of each parameter of a remote module by its name, None where there is none."""
    found: dict[str, torch.Tensor | None] = module._session.request("gradients", target=_target_of(module))
    return found


def _target_of(remote: _Attributes) -> Handle | Reference:
    target = remote._target
    if target is None:
        raise TypeError("the submission itself can be neither called nor passed; name one of its functions")
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
    """Apply ``change`` to what lists, tuples and dicts hold, at any depth."""
    if isinstance(value, (list, tuple)):
        return type(value)(_rewrite(item, change) for item in value)
    if isinstance(value, dict):
        return {key: _rewrite(item, change) for key, item in value.items()}
    return change(value)


def _outgoing(value: Any) -> Any:
    """An argument as it travels: proxies as what they stand for, tensors as leaves of a graph of their own."""
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
            raise WorkerDied(DeathReason.PROTOCOL, "the reply to a call is no result")
    if graph and grad:
        leaves = [tensor for tensor in tensors_in([list(args), dict(kwargs)]) if tensor.requires_grad]
        # A call on parameters alone has no leaf here, yet its backward pass must be asked for.
        anchor = torch.zeros((), requires_grad=True)
        joined = iter(_Join.apply(session, graph, flags, outputs, anchor, *leaves))  # type: ignore[no-untyped-call]
        value = _rewrite(value, lambda item: next(joined) if isinstance(item, torch.Tensor) else item)
    return _adopt(session, value)


class _Join(torch.autograd.Function):
    """Makes the tensors of a reply the outputs of a node in the judge's graph."""

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
        # Raises on a second pass unless the first one was told to retain the graph, as PyTorch does.
        _ = ctx.saved_tensors
        found = ctx.session.request("vjp", graph=ctx.graph, cotangents=list(cotangents))
        if not (isinstance(found, list) and len(found) == len(ctx.shapes)):
            raise WorkerDied(DeathReason.PROTOCOL, "the reply to a backward pass is no list of gradients")
        for gradient, (shape, dtype) in zip(found, ctx.shapes, strict=True):
            plain = isinstance(gradient, torch.Tensor) and gradient.shape == shape and gradient.dtype == dtype
            if gradient is not None and not plain:
                raise WorkerDied(DeathReason.PROTOCOL, "a gradient of another shape than its tensor")
        return (None, None, None, None, None, *found)
