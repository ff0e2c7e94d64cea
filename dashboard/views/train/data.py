"""The user's own data, for tasks that read some: a path, or an uploaded zip of a folder of images."""

from dataclasses import fields
from typing import Any

import streamlit as st

from dashboard.serving import paths
from dashboard.serving.readonly import SENTENCE, may_act, read_only
from dashboard.views.train.fields import explained
from dashboard.widgets.runs import watch
from dashboard.widgets.runs.words import reason
from engine.errors import EngineError
from engine.runs import uploads
from engine.tasks import Folders, TaskDistribution

state = st.session_state


def reads(task: type[TaskDistribution]) -> bool:
    """Whether tasks of a kind are made of a file or a folder."""
    return "path" in {field.name for field in fields(task)}


def ask(task: type[TaskDistribution]) -> dict[str, Any]:
    """Draws where the data come from; the path, which the server may read, if there is one.

    Raises:
        EngineError: it may not.
    """
    if not reads(task):
        return {}
    key = f"train-task-{task.name}-path"
    row = st.container(horizontal=True, vertical_alignment="bottom")
    if issubclass(task, Folders):
        _upload(row, key)
    label = "Folder of images" if issubclass(task, Folders) else "CSV or Parquet file"
    path = (row.text_input(label, key=key, help=explained(task)["path"], bind="query-params") or "").strip()
    if path:
        paths.may_read(path)
    return {"path": path}


def _upload(place: Any, key: str) -> None:
    """An uploader of zips; what comes is unpacked once, and its place becomes the path."""
    if read_only():
        st.caption(SENTENCE)
        return
    most = min(uploads.MAX_ARCHIVE_BYTES // 1_000_000, int(st.get_option("server.maxUploadSize")))
    given = place.file_uploader("A zip of one folder for each class", ["zip"], key="train-upload", max_upload_size=most)
    if given is None:
        return
    if state.get("train-uploaded", ("",))[0] != given.file_id:
        said = ""
        try:
            may_act()
            with st.spinner("Unpacking ..."):
                state[key] = str(uploads.unpack(given.getvalue(), given.name, watch.root()))
        except (EngineError, OSError) as error:
            said = reason(error)
        state["train-uploaded"] = (given.file_id, said)
    if said := state["train-uploaded"][1]:
        st.error(said, icon=":material/error:")
