"""physnn: describe a physical network once; run and train it on any substrate; see what each substrate costs."""

__version__ = "0.1.0"
