"""One thread for every numerical library (the tests run side by side), and property tests that repeat exactly."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from hypothesis import settings  # noqa: E402  (after the variables, which numpy reads when it is imported)

settings.register_profile("physnn", deadline=None, derandomize=True)
settings.load_profile("physnn")
