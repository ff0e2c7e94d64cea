// Edits on their way to Python, and the answers that end them.
//
// One edit is under way at a time; later moves wait and only the newest leaves. Every edit carries a growing seq, and
// the data that answers it echoes that seq. It also carries the revision of the points it was made on: a new one of
// Python's replaces them, and what was done to older ones is dropped on both sides.

const RESEND_MS = 2000;
const MAX_RESENDS = 5;

/** The hand moved, added or removed a point; `final`: and let go. */
export function edited(pad, final) {
  pad.tween = null;
  pad.dirty = true;
  pad.final = final;
  pad.stamp = performance.now();
  pump(pad);
}

/** Send the newest edit, unless one is under way. */
function pump(pad) {
  if (!pad.dirty || pad.flight) return;
  pad.root.dataset.seq = pad.seq += 1;
  pad.flight = { seq: pad.seq, stamp: pad.stamp, final: pad.final };
  pad.dirty = false;
  pad.root.dataset.busy = "true";
  clearTimeout(pad.timer);
  // Each wait is twice the last: a slow computation must not be interrupted for ever by its own question.
  pad.timer = setTimeout(() => resend(pad), RESEND_MS * 2 ** pad.tries);
  // While a hand moves, only the step on screen is drawn: less to compute, and a twelfth to send.
  const place = pad.final || pad.playing ? null : pad.index;
  const points = pad.points.map(([x, y]) => [x, y]);
  pad.setState("edit", { seq: pad.seq, revision: pad.data.revision, points, final: pad.final, place });
}

/** The answer is late: ask again, with what is newest by now. */
function resend(pad) {
  if (!pad.flight || pad.tries >= MAX_RESENDS) return;
  pad.tries += 1;
  pad.final = pad.dirty ? pad.final : pad.flight.final;
  pad.stamp = pad.dirty ? pad.stamp : pad.flight.stamp;
  pad.flight = null;
  pad.dirty = true;
  pump(pad);
}

/** What Python says answers all edits up to one. */
export function answered(pad, data) {
  pad.root.dataset.answer = data.answer;
  if (!pad.flight || data.answer < pad.flight.seq) return;
  pad.root.dataset.lastLatencyMs = (performance.now() - pad.flight.stamp).toFixed(1);
  endFlight(pad);
  pump(pad);
}

/** The edit under way is answered, or no longer of these points. */
export function endFlight(pad) {
  pad.flight = null;
  pad.tries = 0;
  clearTimeout(pad.timer);
  pad.root.dataset.busy = "false";
}
