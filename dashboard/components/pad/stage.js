// The plot: axes, curves with their bands and labels, and the support points under the hand.

import { area, clamp, line, linear, say, setAll, shape, spread, ticks, tickText, wear } from "./draw.js";

const MARGIN = { top: 8, bottom: 24, left: 40 };
const HIT_RADIUS = 14; // 28 px across
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
  stage.rows = shape("g", { "aria-hidden": "true", "pointer-events": "none" }, svg);
  stage.pointLayer = shape("g", {}, svg);
  stage.truthLabel = makeLabel(stage, "label truth-label");
  pad.stage = stage;
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
  const longest = Math.max(...ticks(...pad.domain, 6).map((v) => tickText(v).length));
  const left = Math.max(MARGIN.left, 14 + 7 * longest);
  const box = { left, top: MARGIN.top, right: width - right, bottom: height - MARGIN.bottom };
  stage.box = box;
  stage.x = linear(data.x_domain, [box.left, box.right]);
  stage.y = linear(pad.domain, [box.bottom, box.top]);
  const size = { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top };
  setAll(stage.sheet, size);
  setAll(stage.window, { ...size, viewBox: `${size.x} ${size.y} ${size.width} ${size.height}` });
  drawAxes(stage, data.x_domain, pad.domain);
  drawRows(pad);
}

/** Points that learners are scored on, for tasks that are known by them. */
export function drawRows({ stage, data, domain }) {
  if (!stage.x) return;
  const seen = (data.rows || []).filter(([, y]) => y >= domain[0] && y <= domain[1]);
  const ring = ([x, y]) => shape("circle", { class: "row-point", cx: stage.x(x), cy: stage.y(y), r: 4 });
  stage.rows.replaceChildren(...seen.map(ring));
}

/** The power of ten below the width of a domain. */
export function coarse([low, high]) {
  return Math.floor(Math.log10(high - low) + 1e-12);
}

/** A coordinate as it is spoken: two decimals where the domain is 10 to 100 wide. */
function coordinate(value, ends) {
  return value.toFixed(Math.min(Math.max(3 - coarse(ends), 0), 12));
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
    tick(tickText(v), { x: x(v), y: box.bottom + 16, "text-anchor": "middle" });
  }
  for (const v of ticks(...yDomain, 6)) {
    rule({ x1: box.left, x2: box.right, y1: y(v), y2: y(v) }, v === 0);
    tick(tickText(v), { x: box.left - 8, y: y(v), dy: "0.35em", "text-anchor": "end" });
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
    const where = `x ${coordinate(px, pad.data.x_domain)}, y ${coordinate(py, pad.domain)}`;
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

