"""Systems of equations: populations, couplings, ports; their companions; the plain interpreter."""

from physnn.equations.companion import Companion, companion_inputs, gradient, input_gradient, reflected, tangent
from physnn.equations.interpreter import Interpreter
from physnn.equations.operators import Dense, Mean, OneToOne, Sparse, Transposed
from physnn.equations.population import Event, Population, Variable
from physnn.equations.stencils import Convolution, Poisson
from physnn.equations.system import Coupling, Input, Output, System
from physnn.equations.trace import Trace

__all__ = [
    "Companion",
    "Convolution",
    "Coupling",
    "Dense",
    "Event",
    "Input",
    "Interpreter",
    "Mean",
    "OneToOne",
    "Output",
    "Poisson",
    "Population",
    "Sparse",
    "System",
    "Trace",
    "Transposed",
    "Variable",
    "companion_inputs",
    "gradient",
    "input_gradient",
    "reflected",
    "tangent",
]
