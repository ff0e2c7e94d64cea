"""`python -m probes`."""

import sys

from probes.cli import main

if __name__ == "__main__":
    sys.exit(main())
