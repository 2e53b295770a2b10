"""physnn on torch tensors."""

from physnn_torch.backend import Backend, TorchSubstrate

__all__ = ["Backend", "TorchSubstrate"]
