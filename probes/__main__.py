"""`python -m probes`."""

import sys

import torch

from probes.cli import main

if __name__ == "__main__":
    torch.set_num_threads(1)  # as on the pages: the inner loops are many tiny products
    sys.exit(main())
