"""Brian2: Systems as NeuronGroups with their own equations."""

from physnn_brian2.backend import Backend

__all__ = ["Backend"]
