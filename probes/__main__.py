"""`python -m probes`."""

import sys

import torch

from engine.processes import keep_memory
from probes.cli import main

if __name__ == "__main__":
    keep_memory()
    torch.set_num_threads(1)  # as on the pages: the inner loops are many tiny products
    sys.exit(main())
