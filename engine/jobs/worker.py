"""The process of a training: `python -m engine.jobs.worker`, started by `engine.jobs.local`.

It waits for its turn before it imports anything large, trains, and leaves the outcome in the records.
"""

import argparse
import os
import traceback
from collections.abc import Sequence
from pathlib import Path

from engine.jobs import tickets
from engine.processes import keep_memory, step_back
from engine.runs.folders import CANCEL
from engine.runs.locks import Locks


def work(folder: Path, *, resumed: bool, slots: int, queue: Path, locks: Sequence[int] = (), ticket: int = -1) -> None:
    """Waits, and trains.

    Args:
        folder: the first run folder of the job.
        resumed: go on from the last snapshot.
        slots: at most so many trainings of this queue at a time.
        queue: the folder of the queue.
        locks: descriptors of the locks of all its folders, if they were handed over.
        ticket: descriptor of the ticket, if it was handed over.
    """
    mine = ticket if ticket >= 0 else tickets.draw(queue)
    held = Locks.adopted(locks)
    try:
        if tickets.wait(mine, queue, slots, (folder / CANCEL).exists):
            _train(folder, resumed)
        else:
            from engine.jobs import local as jobs

            jobs.end(jobs.job(folder).folders, "cancelled")
    finally:
        (folder / CANCEL).unlink(missing_ok=True)
        tickets.path_of(mine, queue).unlink(missing_ok=True)
        os.close(mine)
        held.release()


def _train(folder: Path, resumed: bool) -> None:
    """Politely, and in as many threads as before, so that a resumed training ends the same to the bit."""
    step_back()  # what else runs here, such as the live page, comes first
    keep_memory()
    from dataclasses import replace

    import torch

    from engine.execution.devices import pick_device
    from engine.runs import run as runs
    from engine.training import plans, sessions

    planned = plans.plan_of(folder)
    threads = runs.read_record(folder).get("threads") or 1
    torch.set_num_threads(int(threads) if resumed else 1)
    try:
        sessions.begin(replace(planned, device=pick_device(planned.device)), resumed=resumed)
    except Exception as error:  # whatever it was, the records say it; all of it is in the log
        traceback.print_exc()
        sessions.fail(planned, error)


def main() -> None:
    """Reads what `engine.jobs.local` says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--queue", type=Path, required=True)
    parser.add_argument("--locks", default="")
    parser.add_argument("--ticket", type=int, default=-1)
    given = parser.parse_args()
    locks = [int(descriptor) for descriptor in given.locks.split(",") if descriptor]
    work(given.folder, resumed=given.resume, slots=given.slots, queue=given.queue, locks=locks, ticket=given.ticket)


if __name__ == "__main__":
    main()
