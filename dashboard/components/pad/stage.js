// The plot: axes, curves with their bands and labels, and the support points under the hand.

import { area, clamp, line, linear, mix, say, setAll, shape, spread, ticks, wear } from "./draw.js";

const MARGIN = { top: 8, bottom: 24, left: 40 };
const HIT_RADIUS = 14; // 28 px across
const DOUBLE_MS = 400;
const TAP_SLACK = 8;
const LABEL_GAP = 14;
const SHORT_LABEL = 13; // letters

export function buildStage(pad) {
  const svg = pad.root.querySelector("svg.plot");
  const stage = { svg, labels: new Map(), points: [], drag: null, tap: null };
  stage.grid = shape("g", { "aria-hidden": "true" }, svg);
  stage.sheet = shape("rect", { class: "sheet" }, svg);
  stage.window = shape("svg", { "aria-hidden": "true", overflow: "hidden", "pointer-events": "none" }, svg);
  stage.bands = shape("g", {}, stage.window);
  stage.truth = shape("path", { class: "truth" }, stage.window);
  stage.curves = shape("g", {}, stage.window);
  stage.labelLayer = shape("g", { "aria-hidden": "true" }, svg);
  stage.pointLayer = shape("g", {}, svg);
  stage.truthLabel = makeLabel(stage, "label truth-label");
  pad.stage = stage;
  bindPointer(pad);
  bindKeys(pad);
}

function makeLabel(stage, className) {
  const g = shape("g", { class: className }, stage.labelLayer);
  return { g, path: shape("path", {}, g), text: shape("text", { dy: "0.35em" }, g) };
}

/** Size, scales and axes; called when the width or the domain changes. */
export function layoutStage(pad) {
  const { stage, data } = pad;
  const width = stage.svg.clientWidth;
  if (!width) return;
  const height = clamp(Math.round(width * 0.62), 260, 420);
  stage.svg.style.height = height + "px";
  stage.labelRoom = width >= 480;
  stage.long = longLabels(pad);
  const right = stage.labelRoom ? (stage.long ? 168 : 110) : 24;
  const box = { left: MARGIN.left, top: MARGIN.top, right: width - right, bottom: height - MARGIN.bottom };
  stage.box = box;
  stage.x = linear(data.x_domain, [box.left, box.right]);
  stage.y = linear(pad.domain, [box.bottom, box.top]);
  const size = { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top };
  setAll(stage.sheet, size);
  setAll(stage.window, { ...size, viewBox: `${size.x} ${size.y} ${size.width} ${size.height}` });
  drawAxes(stage, data.x_domain, pad.domain);
}

/** Whether a learner that is on needs the wider margin for its name. */
export function longLabels(pad) {
  return [...pad.learners.values()].some((learner) => learner.on && learner.data.label.length > SHORT_LABEL);
}

function drawAxes({ grid, box, x, y }, xDomain, yDomain) {
  grid.replaceChildren();
  const rule = (at, zero) => shape("line", { class: zero ? "gridline zero" : "gridline", ...at }, grid);
  const tick = (text, at) => say(shape("text", { class: "tick", ...at }, grid), text);
  for (const v of ticks(...xDomain, 10)) {
    rule({ x1: x(v), x2: x(v), y1: box.top, y2: box.bottom }, v === 0);
    tick(String(v).replace("-", "\u2212"), { x: x(v), y: box.bottom + 16, "text-anchor": "middle" });
  }
  for (const v of ticks(...yDomain, 6)) {
    rule({ x1: box.left, x2: box.right, y1: y(v), y2: y(v) }, v === 0);
    tick(String(v).replace("-", "\u2212"), { x: box.left - 8, y: y(v), dy: "0.35em", "text-anchor": "end" });
  }
  const title = (text, at) => say(shape("text", { class: "axis-title", ...at }, grid), text);
  title("x", { x: box.right + 12, y: box.bottom + 16 });
  title("y", { x: 2, y: box.top, dy: "0.7em" });
}

/** Make or retire the paths of learners; their order is the order of the data. */
export function syncCurves(pad) {
  const { stage } = pad;
  for (const learner of pad.learners.values()) {
    if (!learner.curve) {
      learner.band = shape("path", { class: "band" }, stage.bands);
      learner.curve = shape("path", { class: "curve" }, stage.curves);
      learner.label = makeLabel(stage, "label");
      learner.label.g.onpointerenter = () => pad.act.focus(learner.name);
      learner.label.g.onpointerleave = () => pad.act.focus(null);
      learner.parts.push(learner.band, learner.curve, learner.label.g);
    }
    for (const el of [learner.band, learner.curve, learner.label.g]) wear(el, learner.data);
    learner.curve.setAttribute("stroke-dasharray", learner.data.dash || "none");
    say(learner.label.text, shorten(learner.data.label));
  }
}

function shorten(text) {
  return text.length > 22 ? text.slice(0, 21) + "\u2026" : text;
}

/** Redraw every curve from `learner.shown`, (3, n_grid) flattened: mean, low, high. */
export function drawCurves(pad) {
  const { stage, data } = pad;
  if (!stage.box) return;
  const n = data.grid.length;
  const { x, y, box } = stage;
  const px = (i) => x(data.grid[i]);
  for (const learner of pad.learners.values()) {
    const visible = learner.on && learner.shown !== null;
    const shown = learner.shown;
    const far = (v) => clamp(y(v), -2000, 4000);
    learner.curve.setAttribute("d", visible ? line(n, px, (i) => far(shown[i])) : "");
    const banded = visible && learner.data.seeds > 1;
    const low = (i) => far(shown[n + i]);
    const high = (i) => far(shown[2 * n + i]);
    learner.band.setAttribute("d", banded ? area(n, px, low, high) : "");
  }
  const truth = data.truth;
  stage.truth.setAttribute("d", truth ? line(n, px, (i) => y(truth[i])) : "");
  drawLabels(pad, n, (v) => clamp(y(v), box.top, box.bottom));
}

function drawLabels(pad, n, edge) {
  const { stage, data } = pad;
  const rows = [];
  for (const learner of pad.learners.values()) {
    const there = stage.labelRoom && learner.on && learner.shown !== null;
    learner.label.g.style.display = there ? "" : "none";
    if (there) rows.push([learner.label, edge(learner.shown[n - 1])]);
  }
  const truthThere = stage.labelRoom && Boolean(data.truth);
  stage.truthLabel.g.style.display = truthThere ? "" : "none";
  if (truthThere) {
    say(stage.truthLabel.text, "true function");
    rows.push([stage.truthLabel, edge(data.truth[n - 1])]);
  }
  const { top, bottom, right } = stage.box;
  const gap = Math.min(LABEL_GAP, (bottom - top) / Math.max(1, rows.length - 1));
  const placed = spread(rows.map((r) => r[1]), gap, top, bottom);
  rows.forEach(([label, from], i) => {
    label.path.setAttribute("d", `M${right + 1},${from.toFixed(1)}L${right + 12},${placed[i].toFixed(1)}`);
    setAll(label.text, { x: right + 15, y: placed[i].toFixed(1) });
  });
}

/** Redraw the support points, reusing their nodes so that focus and capture survive. */
export function drawPoints(pad) {
  const { stage } = pad;
  if (!stage.box) return;
  while (stage.points.length > pad.points.length) stage.points.pop().remove();
  pad.points.forEach(([px, py], i) => {
    const g = stage.points[i] || (stage.points[i] = makePoint(stage.pointLayer));
    g.dataset.index = i;
    g.setAttribute("transform", `translate(${stage.x(px).toFixed(1)},${stage.y(py).toFixed(1)})`);
    const where = `x ${px.toFixed(2)}, y ${py.toFixed(2)}`;
    const label = `support point ${i + 1} of ${pad.points.length}, ${where}; arrow keys move, Delete removes`;
    if (g.getAttribute("aria-label") !== label) g.setAttribute("aria-label", label);
  });
  const count = pad.points.length === 1 ? "1 support point" : `${pad.points.length} support points`;
  const text = `The task: ${count} and the learners' curves. Press Enter to add a point in the middle.`;
  if (stage.svg.getAttribute("aria-label") !== text) stage.svg.setAttribute("aria-label", text);
}

function makePoint(layer) {
  const kind = { class: "point", tabindex: "0", role: "button", "aria-roledescription": "support point" };
  const g = shape("g", kind, layer);
  shape("circle", { class: "hit", r: HIT_RADIUS }, g);
  shape("circle", { class: "halo", r: 11 }, g);
  shape("circle", { class: "disc", r: 7 }, g);
  return g;
}

/** Keep a point inside the domain, on a raster fine enough for the eye. */
function inside({ data, domain }, x, y) {
  const round = (v) => Math.round(v * 1e4) / 1e4;
  return [round(clamp(x, ...data.x_domain)), round(clamp(y, ...domain))];
}

/** Where an event is in the units of the drawing, which are not those of the window where a page is zoomed by CSS. */
function spot({ svg }, event) {
  const frame = svg.getBoundingClientRect();
  const unit = frame.width / svg.clientWidth || 1;
  return [(event.clientX - frame.left) / unit, (event.clientY - frame.top) / unit];
}

function fromEvent(pad, event, offset = [0, 0]) {
  const { stage } = pad;
  const [x, y] = spot(stage, event);
  return inside(pad, stage.x.invert(x - offset[0]), stage.y.invert(y - offset[1]));
}

function addPoint(pad, point) {
  if (pad.points.length >= pad.data.max_points) {
    pad.act.tell(`A task holds at most ${pad.data.max_points} support points; remove one to add another.`);
    return -1;
  }
  pad.points = [...pad.points, point];
  drawPoints(pad);
  return pad.points.length - 1;
}

function removePoint(pad, index) {
  if (pad.points.length <= 1) {
    pad.act.tell("A task needs at least one support point, so this one stays.");
    return;
  }
  const had = pad.stage.svg.getRootNode().activeElement === pad.stage.points[index];
  pad.points = pad.points.filter((_, i) => i !== index);
  drawPoints(pad);
  if (had) pad.stage.points[Math.min(index, pad.points.length - 1)].focus();
  pad.act.edited(true);
  pad.act.tell("");
}

function bindPointer(pad) {
  const { stage } = pad;
  const { svg } = stage;
  let last = { index: -1, at: -Infinity }; // the press before this one, to recognise a double press

  svg.onpointerdown = (event) => {
    if (event.button !== 0 || !event.isPrimary || !stage.box) return;
    const hit = event.target.closest(".point");
    if (hit) {
      grab(pad, event, Number(hit.dataset.index), false);
      return;
    }
    if (event.target !== stage.sheet) return;
    if (event.pointerType === "touch") {
      stage.tap = { x: event.clientX, y: event.clientY }; // a finger may be about to scroll: wait for the tap
      return;
    }
    const index = addPoint(pad, fromEvent(pad, event));
    if (index < 0) return;
    grab(pad, event, index, true);
    pad.act.edited(false);
  };

  svg.onpointermove = (event) => {
    const drag = stage.drag;
    if (!drag || event.pointerId !== drag.id) return;
    if (!drag.moved && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < 2) return;
    drag.moved = true;
    pad.points = pad.points.with(drag.index, fromEvent(pad, event, drag.offset));
    drawPoints(pad);
    pad.act.edited(false);
  };

  svg.onpointerup = (event) => {
    const { tap, drag } = stage;
    stage.tap = null;
    if (tap && Math.hypot(event.clientX - tap.x, event.clientY - tap.y) < TAP_SLACK) {
      const index = addPoint(pad, fromEvent(pad, event));
      last = { index: -1, at: -Infinity };
      if (index >= 0) pad.act.edited(true);
      return;
    }
    if (!drag || event.pointerId !== drag.id) return;
    release(pad);
    const now = performance.now();
    const again = drag.index === last.index && now - last.at < DOUBLE_MS;
    last = drag.moved || drag.added ? { index: -1, at: -Infinity } : { index: drag.index, at: now };
    if (drag.moved || drag.added) pad.act.edited(true);
    else if (again) {
      last = { index: -1, at: -Infinity };
      removePoint(pad, drag.index);
    }
  };

  svg.onpointercancel = (event) => {
    stage.tap = null;
    if (!stage.drag || event.pointerId !== stage.drag.id) return;
    const { moved, added } = stage.drag;
    release(pad);
    if (moved || added) pad.act.edited(true);
  };
}

function grab(pad, event, index, added) {
  const { stage } = pad;
  const [px, py] = pad.points[index];
  const [x, y] = spot(stage, event);
  const offset = [x - stage.x(px), y - stage.y(py)];
  stage.drag = { id: event.pointerId, index, added, moved: false, offset, x: event.clientX, y: event.clientY };
  stage.svg.setPointerCapture(event.pointerId);
  stage.points[index].focus({ preventScroll: true });
  stage.points[index].classList.add("held");
  stage.svg.classList.add("dragging");
  event.preventDefault();
  pad.act.tell("");
}

/** Let go of the held point, if any. */
export function release(pad) {
  const { stage } = pad;
  if (!stage.drag) return;
  stage.points[stage.drag.index]?.classList.remove("held");
  stage.svg.classList.remove("dragging");
  stage.drag = null;
  pad.act.rescale();
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function bindKeys(pad) {
  const { stage } = pad;
  let owed = false; // repeats of a held key are sent as a drag; its release is the final edit

  stage.svg.onkeydown = (event) => {
    const index = stage.points.indexOf(event.target);
    if (index < 0) {
      if (event.key === "Enter" && event.target === stage.svg) addInTheMiddle(pad, event);
      return;
    }
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      removePoint(pad, index);
      return;
    }
    const arrow = ARROWS[event.key];
    if (!arrow || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const step = event.shiftKey ? 0.5 : event.altKey ? 0.01 : 0.1;
    const [x, y] = pad.points[index];
    pad.points = pad.points.with(index, inside(pad, x + arrow[0] * step, y + arrow[1] * step));
    drawPoints(pad);
    owed = event.repeat;
    pad.act.edited(!event.repeat);
  };

  stage.svg.onkeyup = (event) => {
    if (!owed || !(event.key in ARROWS)) return;
    owed = false;
    pad.act.edited(true);
  };
}

function addInTheMiddle(pad, event) {
  event.preventDefault();
  const [low, high] = pad.data.x_domain;
  const y = mix(...pad.domain, 0.5);
  let x = mix(low, high, 0.5);
  const taken = () => pad.points.some((p) => Math.abs(p[0] - x) < 0.05 && Math.abs(p[1] - y) < 0.05);
  for (let k = 0; k < 64 && taken(); k++) x = clamp(x + (high - low) / 40, low, high);
  const index = addPoint(pad, inside(pad, x, y));
  if (index < 0) return;
  pad.stage.points[index].focus();
  pad.act.edited(true);
}
