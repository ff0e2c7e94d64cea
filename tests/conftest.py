"""What all tests share."""

import os

# A training in a process of its own lets all others go first: beside other tests, it would wait until they have ended.
os.environ.setdefault("INNERLOOP_NICE", "0")
