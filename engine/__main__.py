"""`python -m engine ...`: the engine on the command line.

In one thread, unless the variable OMP_NUM_THREADS says otherwise: its operations are so small that a second one mostly
waits for the first (ProtoNet on glyphs took 1.7 times as long with two, on two busy cores). That is set before torch is
imported.
"""

import os
import sys

from engine.cli.main import main
from engine.processes import keep_memory

if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    keep_memory()
    sys.exit(main())
