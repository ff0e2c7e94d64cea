// The pad itself: one state per mounted element, what Python says, and what moves when.
//
// The browser owns the points, Python owns the curves (edits.js sends the one for the other). A new revision of
// Python's points replaces those of the browser. The step on screen is the browser's own once it was chosen here.

import { decode, isDark, say } from "./draw.js";
import { compose, ease, snapshot } from "./motion.js";
import { answered, edited, endFlight } from "./edits.js";
import { bindHand, release } from "./hand.js";
import { buildStage, drawCurves, drawPoints, drawRows, layoutStage, longLabels, syncCurves } from "./stage.js";
import { buildSteps, drawCursor, drawTraces, errorScale, layoutSteps, syncSteps } from "./steps.js";
import { buildSwitches } from "./switches.js";
import { buildTable, drawTable, sortTable, syncTable, tell } from "./table.js";

const EASE_MS = 150;
const ADOPT_MS = 240;
const PLAY_MS = 420;

const pads = new WeakMap();

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const root = parentElement.querySelector(".pad");
  if (!root || !data) return undefined;
  let pad = pads.get(parentElement);
  if (!pad || pad.root !== root) {
    pad = create(root);
    pads.set(parentElement, pad);
  }
  const run = (pad.run += 1);
  pad.setState = setStateValue;
  if (!pad.observer) watchSize(pad);
  root.dataset.theme = isDark(getComputedStyle(root.querySelector(".probe")).color) ? "dark" : "light";
  receive(pad, data);
  return () => {
    if (pad.run === run) dispose(pad);
  };
}

function create(root) {
  const pad = {
    root, run: 0, data: null, learners: new Map(), points: [], index: 0, cursor: 0, errorScale: null,
    domain: null, chosen: null, size: "",
    seq: 0, flight: null, dirty: false, final: false, stamp: null, tries: 0,
    tween: null, frame: 0, playing: 0, turn: 0, before: null, observer: null,
  };
  pad.act = {
    edited: (final) => edited(pad, final),
    tell: (sentence) => say(root.querySelector(".status"), sentence),
    focus: (name) => focus(pad, name),
    switch: (names, touched) => switchTo(pad, names, touched),
    draw: () => draw(pad),
    rescale: () => rescale(pad),
    go: (index, rest) => {
      stop(pad);
      go(pad, index);
      pad.chosen = pad.data.stops[pad.index];
      if (rest) settle(pad);
    },
    play: () => {
      if (!pad.playing) return play(pad);
      stop(pad);
      return settle(pad);
    },
  };
  buildStage(pad);
  bindHand(pad);
  buildTable(pad);
  buildSwitches(pad);
  buildSteps(pad);
  return pad;
}

/** Redraw whatever is as wide as something of the page; printing lays the page out anew, which no observer is told. */
function watchSize(pad) {
  pad.observer = new ResizeObserver(() => refit(pad));
  for (const seen of [pad.root, pad.stage.svg, pad.steps.svg]) pad.observer.observe(seen);
  pad.print = matchMedia("print");
  pad.print.onchange = () => refit(pad);
}

function refit(pad) {
  const { stage, steps, table } = pad;
  const { clientWidth, clientHeight } = steps.svg;
  const size = [stage.svg.clientWidth, clientWidth, clientHeight, table.scale.clientWidth].join();
  if (!pad.data || size === pad.size) return;
  pad.size = size;
  table.ruled = null; // as many of its ticks are named as there is room for
  layoutStage(pad);
  layoutSteps(pad);
  redraw(pad);
}

function dispose(pad) {
  pad.observer?.disconnect();
  pad.observer = null;
  pad.print.onchange = null;
  clearTimeout(pad.timer);
  cancelAnimationFrame(pad.frame);
  stop(pad);
}

// ---- what Python says -------------------------------------------------------------------------------

function receive(pad, data) {
  const before = pad.data;
  const fresh = !before || data.revision !== before.revision;
  const stale = before && !fresh && data.answer < before.answer;
  if (stale || data === before) {
    // The theme or a callback changed, or an answer came late: newer curves are already on screen.
    if (!stale) redraw(pad);
    return;
  }
  pad.data = data;
  if (fresh || !pad.stage.drag) pad.domain = data.y_domain; // else the picture would move away under the hand
  pad.seq = Math.max(pad.seq, data.answer); // after a return to the page, go on counting where Python is
  pad.root.dataset.seq = pad.seq;
  const names = data.learners.map((l) => [l.name, l.label]);
  const shapeKey = [data.x_domain, pad.domain, data.grid.length, data.stops, names].join("|");
  const reshaped = shapeKey !== pad.shapeKey;
  pad.shapeKey = shapeKey;
  if (reshaped) pad.tween = null;
  const from = fresh && before && !reshaped ? snapshot(pad) : null;
  adoptLearners(pad, data);
  if (fresh) adoptTask(pad, data);
  pad.index = Math.min(pad.index, data.stops.length - 1);
  pad.errorScale = errorScale(pad, Boolean(pad.stage.drag || pad.dirty || pad.playing));
  if (reshaped) {
    syncCurves(pad);
    syncTable(pad);
    syncSteps(pad);
    layoutStage(pad);
    layoutSteps(pad);
  } else {
    syncTable(pad);
    syncSteps(pad);
  }
  if (from) ease(pad, from, ADOPT_MS);
  redraw(pad);
  answered(pad, data);
  if (fresh || data.message || before?.message) pad.act.tell(data.message || "");
  if (!pad.flight && !pad.dirty && !pad.stage.drag && !pad.playing) rest(pad);
}

function adoptTask(pad, data) {
  drawRows(pad);
  release(pad);
  stop(pad);
  pad.points = data.points.map(([x, y]) => [x, y]);
  pad.index = nearest(data.stops, pad.chosen ?? data.stops[data.step_index]);
  pad.dirty = false;
  if (pad.flight) endFlight(pad);
}

/** The place of the stop nearest to an inner step. */
function nearest(stops, step) {
  return stops.reduce((best, stop, i) => (Math.abs(stop - step) < Math.abs(stops[best] - step) ? i : best), 0);
}

/** Draw all of the domain that the data ask for, now that no hand holds a point. */
function rescale(pad) {
  if (String(pad.domain) === String(pad.data.y_domain)) return;
  pad.domain = pad.data.y_domain;
  layoutStage(pad);
  redraw(pad);
}

function adoptLearners(pad, data) {
  const heard = data.turn >= pad.turn; // else Python has not heard the last switches yet: they hold
  pad.turn = Math.max(pad.turn, data.turn);
  const learners = new Map();
  for (const d of data.learners) {
    const learner = pad.learners.get(d.name) || { name: d.name, on: d.on, parts: [], curves: null, drawn: [], shown: null };
    if (heard) learner.on = d.on;
    learner.data = d;
    if (d.curves && d.curves !== learner.packed) learner.curves = decode(d.curves);
    if (!d.curves) learner.curves = null; // off: what it said about other points is no longer true
    learner.packed = d.curves;
    learner.drawn = data.drawn;
    learners.set(d.name, learner);
  }
  for (const [name, learner] of pad.learners) {
    if (!learners.has(name)) learner.parts.forEach((el) => el.remove());
  }
  pad.learners = learners;
}

/** Switch on these learners and no others; `touched` is the one under the hand. */
function switchTo(pad, names, touched) {
  for (const learner of pad.learners.values()) learner.on = names.includes(learner.name);
  pad.turn += 1;
  pad.errorScale = errorScale(pad, false);
  redraw(pad);
  if (touched) focus(pad, pad.learners.get(touched).on ? touched : null);
  else tell(pad, null);
  pad.setState("on", { turn: pad.turn, names: [...pad.learners.keys()].filter((name) => names.includes(name)) });
}

// ---- steps and motion -------------------------------------------------------------------------------

function go(pad, index) {
  const wanted = Math.min(Math.max(index, 0), pad.data.stops.length - 1);
  if (wanted === pad.index) return;
  const from = snapshot(pad);
  pad.index = wanted;
  ease(pad, from, EASE_MS);
  redraw(pad);
  const missing = [...pad.learners.values()].some((learner) => learner.curves && !learner.drawn.includes(wanted));
  if (missing && !pad.flight && !pad.dirty && !pad.stage.drag) edited(pad, true); // a hand left without letting go
}

/** The slider came to rest: order the table, and tell Python which step is shown. */
function settle(pad) {
  rest(pad);
  pad.chosen = pad.data.stops[pad.index];
  pad.setState("step", pad.chosen);
}

function rest(pad) {
  sortTable(pad);
  tell(pad, null);
}

function play(pad) {
  if (pad.index >= pad.data.stops.length - 1) go(pad, 0);
  pad.playing = setInterval(() => {
    go(pad, pad.index + 1);
    if (pad.index < pad.data.stops.length - 1) return;
    stop(pad);
    settle(pad);
  }, PLAY_MS);
  showPlaying(pad);
}

function stop(pad) {
  if (!pad.playing) return;
  clearInterval(pad.playing);
  pad.playing = 0;
  showPlaying(pad);
}

function showPlaying(pad) {
  pad.steps.controls.classList.toggle("playing", Boolean(pad.playing));
  pad.steps.buttons.play.setAttribute("aria-label", pad.playing ? "Pause" : "Play the inner steps");
}

function draw(pad) {
  const points = compose(pad);
  drawCurves(pad);
  drawCursor(pad);
  drawTable(pad);
  const own = pad.points;
  pad.points = points;
  drawPoints(pad);
  pad.points = own;
}

function redraw(pad) {
  if (pad.stage.box && pad.stage.long !== longLabels(pad)) layoutStage(pad);
  draw(pad);
  drawTraces(pad);
}

/** Lift one learner out of the crowd, everywhere at once. */
function focus(pad, name) {
  const lifted = pad.learners.get(name)?.on ? name : null;
  pad.root.classList.toggle("has-focus", lifted !== null);
  for (const [key, learner] of pad.learners) {
    for (const el of learner.parts) el.classList.toggle("focused", key === name);
  }
  if (name) tell(pad, name);
}
