"""`python -m physnn.cli`."""

import sys

from physnn.cli.main import main

sys.exit(main())
