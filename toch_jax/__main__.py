"""`python -m toch_jax`: the command `toch`."""

import sys

from toch_jax.cli import main

sys.exit(main())
