"""The page Runs below its table: what is selected there, compared, exported, deleted; and what comes in."""

import os
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.serving.readonly import SENTENCE, may_act, read_only
from dashboard.widgets import library
from dashboard.widgets.escape import code, plain
from dashboard.widgets.runs import chosen, notes, opening, table, watch
from dashboard.widgets.runs.words import reason
from engine.errors import EngineError
from engine.jobs import local as jobs
from engine.runs import archive, exports
from engine.runs.history import HISTORY
from engine.runs.run import RECORD, WEIGHTS, load, read_record

state = st.session_state
MOST = 8  # columns of a comparison


def show(folders: list[Path], hidden: int = 0) -> None:
    """Everything about the selected runs, of which the table above hides some."""
    records = [read_record(folder) for folder in folders]
    names = [library.shown(folder) for folder in folders]
    head = st.container(horizontal=True, vertical_alignment="center")
    said = f"{len(folders)} selected" if len(folders) > 1 else plain(names[0], 80)
    head.subheader(said, anchor=False, width="content")
    head.button("Clear selection", icon=":material/close:", type="tertiary", on_click=chosen.forget, key="runs-clear")
    if len(folders) == 1:
        head.space("stretch")
        opening.links(head, folders[0], records[0])
    if hidden:
        st.caption(f"The filter hides {hidden} of them." if len(folders) > 1 else "The filter hides this one.")
    for record, name in zip(records[:MOST], names, strict=False):
        if record.get("status") in ("diverged", "failed") and record.get("error"):
            icon = watch.ICONS[record["status"]]
            said = f"{record['status']}. {record['error']}"
            st.error(f"{code(name)} {plain(said)}", icon=icon)
    compared = st.tabs(["Metrics", "Configuration", "Provenance", "Notes", "Export"])
    with compared[0]:
        wide = {"run": st.column_config.TextColumn(width=230)}  # names differ at their ends
        st.dataframe(table.measured(folders, records, names), hide_index=True, width="stretch", column_config=wide)
    with compared[1]:
        several = len(folders) > 1
        differing = several and st.toggle("Only differences", True, key="runs-differing", bind="query-params")
        frame = table.configuration(records[:MOST], names[:MOST], differing=bool(differing))
        st.dataframe(frame, hide_index=True, width="stretch")
    with compared[2]:
        st.dataframe(table.provenance(records[:MOST], names[:MOST]), hide_index=True, width="stretch")
    with compared[3]:
        _notes(records, names)
    with compared[4]:
        _export(folders, names)
    _delete(folders)


def _notes(records: list[dict[str, Any]], names: list[str]) -> None:
    sha = str(records[0].get("weights_sha256", ""))
    if not sha:
        st.caption("A run gets notes once it has weights.")
        return
    if len(names) > 1:
        st.caption(f"Of {code(names[0])}, the first one selected.")
    kept = notes.read(watch.root())[0].get(sha, notes.Note())
    # What this visitor was shown: others may change the note while they type, and only what they change is saved.
    turn, seen = state.get(f"note-seen-{sha}", (0, kept))
    typed = notes.Note(
        state.get(f"tags-{sha}-{turn}", seen.tags) or "", state.get(f"note-{sha}-{turn}", seen.text) or ""
    )
    if typed == seen and seen != kept:
        turn, seen = turn + 1, kept
    state[f"note-seen-{sha}"] = (turn, seen)
    tags = st.text_input("Tags", seen.tags, key=f"tags-{sha}-{turn}", placeholder="baseline, for the talk")
    text = st.text_area("Note", seen.text, key=f"note-{sha}-{turn}", max_chars=notes.MOST)
    wanted = notes.Note(tags or "", text or "")
    if st.button("Save", disabled=read_only() or wanted == seen, key=f"runs-note-{sha}"):
        try:
            may_act()
            state["runs-refused"] = notes.write(watch.root(), sha, seen, wanted)
        except (EngineError, OSError) as error:
            st.error(f"The note could not be kept. {reason(error)}", icon=":material/error:")
            return
        state[f"note-seen-{sha}"] = (turn + 1, notes.read(watch.root())[0].get(sha, notes.Note()))
        st.rerun()


def _export(folders: list[Path], names: list[str]) -> None:
    first = folders[0]
    row = st.container(horizontal=True)
    if (first / WEIGHTS).is_file():
        try:
            load(first)
            _download(row, "Run (zip)", lambda: archive.pack(first), f"{first.name}.zip", "folder_zip")
        except EngineError as error:
            st.error(reason(error), icon=":material/error:")
    board = f"{first.name if len(folders) == 1 else 'runs'}-tensorboard.zip"
    _download(row, "TensorBoard", lambda: exports.tensorboard(folders), board, "monitoring")
    for what, frame in (("Histories", exports.histories), ("Results", exports.results)):
        for form in exports.FORMATS:
            _download(
                row,
                f"{what} ({form})",
                lambda frame=frame, form=form: exports.table(frame(folders), form),  # type: ignore[misc]
                f"{what.lower()}.{form}",
                "table",
            )
    if len(folders) > 1:
        st.caption(f"Run: of {code(names[0])}, the first one selected. All others: of all {len(folders)}.")
    st.caption("In a notebook:")
    here = first.relative_to(library.PROJECT) if first.is_relative_to(library.PROJECT) else first
    st.code(exports.snippet(here), language="python")


def _download(row: Any, label: str, content: Any, name: str, icon: str) -> None:
    row.download_button(
        label, data=content, file_name=name, on_click="ignore", key=f"get-{label}", icon=f":material/{icon}:"
    )


def _delete(folders: list[Path]) -> None:
    own = [folder for folder in folders if folder.is_relative_to(watch.root())]
    if not own:
        st.caption("Shipped runs are not deleted here.")
        return
    what = f"{len(own)} run{'s' * (len(own) > 1)}"
    these = hash(tuple(own))  # a click that was meant for others never reaches these
    with st.popover(f"Delete {what}", icon=":material/delete:", disabled=read_only(), key=f"runs-delete-{these}"):
        st.markdown("\n".join(f"- {code(library.shown(folder))}" for folder in own))
        if others := len(folders) - len(own):
            st.caption(f"The other {others} selected {'are' if others > 1 else 'is'} shipped, and not deleted here.")
        st.button(
            f"Move {what} to the trash",
            icon=":material/delete:",
            type="primary",
            on_click=_throw_away,
            args=(own,),
            disabled=read_only(),
            key=f"runs-delete-now-{these}",
            help="The trash is below, and gives them back.",
        )


def _throw_away(folders: list[Path]) -> None:
    """Moves runs into the trash; those that are there already, by a second click or by somebody else, are no error."""
    gone, refused = [], []
    for folder in folders:
        if not os.path.lexists(folder):
            continue
        try:
            may_act()
            jobs.delete(folder, watch.root())
            gone.append(folder)
        except (EngineError, OSError) as error:
            refused.append(reason(error))
    chosen.forget(gone)
    if gone:
        state["runs-said"] = f"In the trash: {', '.join(code(library.shown(folder)) for folder in gone)}."
    if refused:
        state["runs-refused"] = " ".join(dict.fromkeys(refused))


def bring_in() -> None:
    """Import of a zip, or of weights with their record."""
    with st.expander("Import a run", icon=":material/upload:"):
        if read_only():
            st.caption(SENTENCE)
            return
        st.caption("A zip that was exported here, or a `.safetensors` file together with its `run.json`.")
        given = st.file_uploader(
            "Files",
            ["zip", "safetensors", "json", "jsonl"],
            accept_multiple_files=True,
            key=f"runs-import-{state.get('runs-imports', 0)}",
            label_visibility="collapsed",
            max_upload_size=min(archive.MAX_ARCHIVE_BYTES // 1_000_000, st.get_option("server.maxUploadSize")),
        )
        if given and st.button("Import", type="primary", key="runs-import"):
            try:
                may_act()
                folder = _take([(file.name, file.getvalue()) for file in given])
            except (EngineError, OSError) as error:
                st.error(f"Nothing was imported. {reason(error)}", icon=":material/error:")
                return
            state["runs-imports"] = state.get("runs-imports", 0) + 1  # an empty uploader
            state["runs-said"] = f"Imported as {code(library.shown(folder))}."
            st.rerun()


def _take(given: list[tuple[str, bytes]]) -> Path:
    """One zip, or the files of one run by what they end in."""
    if len(given) == 1 and given[0][0].endswith(".zip"):
        return archive.unpack(given[0][1], watch.root())
    kinds = {"safetensors": WEIGHTS, "json": RECORD, "jsonl": HISTORY}
    parts = {kinds.get(name.rpartition(".")[2], name): content for name, content in given}
    return archive.take_up(parts, watch.root())


def trash() -> None:
    """What was deleted, and the way back."""
    deleted = jobs.trash(watch.root())
    if not deleted:
        return
    with st.expander(f"Trash ({len(deleted)})", icon=":material/delete:"):
        for folder in deleted[:50]:
            row = st.container(horizontal=True, vertical_alignment="center")
            row.markdown(code("/".join(folder.relative_to(watch.root() / jobs.TRASH).parts[1:])))
            row.button("Restore", key=f"restore-{folder}", on_click=_bring_back, args=(folder,), disabled=read_only())


def _bring_back(folder: Path) -> None:
    if not os.path.lexists(folder):
        return  # a second click
    try:
        may_act()
        state["runs-said"] = f"Back: {code(library.shown(jobs.restore(folder, watch.root())))}."
    except (EngineError, OSError) as error:
        state["runs-refused"] = reason(error)
