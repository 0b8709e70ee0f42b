"""`python -m cluster`, which is what scripts/cluster runs."""

import sys

from .cli import main

sys.exit(main())
