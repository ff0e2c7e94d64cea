"""`python -m engine ...`: the engine on the command line."""

import sys

from engine.cli.main import main
from engine.processes import keep_memory

if __name__ == "__main__":
    keep_memory()
    sys.exit(main())
