"""Torch tensors of one precision on one device (see `physnn.execution.Arrays`)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import array_api_compat.torch as torch_xp
import torch

Tensor = torch.Tensor


class Tensors:
    """Tensors on CPU or CUDA.

    Parameters
    ----------
    dtype : torch.dtype
        torch.float32 or torch.float64; complex numbers have the complex type of that precision.
    device : torch.device
    """

    xp = torch_xp
    kinds = Tensor
    block = None

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        self.real, self.device = dtype, device
        self.complex = torch.complex128 if dtype == torch.float64 else torch.complex64

    def array(self, values: Any) -> Tensor:
        """Values as a tensor of this precision and place, complex where they are."""
        tensor = values if isinstance(values, Tensor) else torch.tensor(values)
        return tensor.to(device=self.device, dtype=self.complex if tensor.is_complex() else self.real)

    def full(self, shape: tuple[int, ...], value: Any, kind: torch.dtype) -> Tensor:
        """A tensor of equal numbers."""
        return torch.full(shape, value, dtype=kind, device=self.device)

    def cast(self, value: Tensor, kind: torch.dtype) -> Tensor:
        """The tensor in another type; itself where it has it."""
        return value.to(kind)

    def spread(self, value: Tensor, shape: tuple[int, ...]) -> Tensor:
        """The tensor broadcast to a shape, without a copy."""
        return value.expand(shape)

    def moved(self, start: Tensor, change: Tensor, step: float) -> Tensor:
        """start + step * change"""
        return torch.add(start, change, alpha=step)

    def stacked(self, entries: Sequence[Tensor]) -> Tensor:
        """Entries (batch, *shape) as (batch, entries, *shape)."""
        return torch.stack(list(entries), dim=1)

    def same(self, one: Tensor, other: Tensor) -> bool:
        """Whether two tensors of one shape hold the same numbers. On a GPU the host would wait for the answer."""
        if one is other or one.device.type != "cpu" or self.tracked((one, other)):
            return one is other
        return torch.equal(one[:1], other[:1]) and torch.equal(one, other)

    def is_finite(self, value: Tensor) -> bool:
        """Whether all numbers are finite. A finite sum settles it, at a quarter of the cost of looking at each."""
        return math.isfinite(abs(value.detach().sum().item())) or bool(torch.isfinite(value).all())

    def largest(self, value: Tensor) -> float:
        """The largest modulus; not finite where one is not."""
        if value.is_complex():
            return float(value.detach().abs().max())
        low, high = torch.aminmax(value.detach())
        return max(-low.item(), high.item())

    def plain(self, value: Tensor) -> Tensor:
        """The numbers without their graph."""
        return value.detach()

    def tracked(self, values: Iterable[Any]) -> bool:
        """Whether autograd follows one of these."""
        return any(isinstance(value, Tensor) and value.requires_grad for value in values)

    def untracked(self) -> AbstractContextManager[Any]:
        """Within it, autograd follows nothing."""
        return torch.no_grad()

    def unchecked(self) -> AbstractContextManager[Any]:
        """Torch gives no warnings."""
        return nullcontext()
