"""What file managers, shells and our own trainings leave in a run folder that somebody zips: no part of the run."""

from pathlib import PurePosixPath

from engine.runs.folders import CANCEL, PREVIOUS, SNAPSHOT
from engine.runs.locks import LOCK

FOLDERS = {"__macosx", "__pycache__", "@eadir"}
FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", LOCK, CANCEL, SNAPSHOT, PREVIOUS, "nohup.out"}
ENDINGS = ("~", ".swp", ".bak", ".tmp", ".part", ".orig")


def passed_over(path: str) -> bool:
    """Whether a file of an archive, by its path there, is passed over: hidden ones, and those that are known."""
    *folders, name = PurePosixPath(path.replace("\\", "/")).parts or ("",)
    if any(folder.lower() in FOLDERS or (folder.strip(".") and folder.startswith(".")) for folder in folders):
        return True
    return name.startswith(".") or name.lower() in FILES or name.lower().endswith(ENDINGS)
