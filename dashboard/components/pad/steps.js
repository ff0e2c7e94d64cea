// Inner steps: the slider, play, and the error of every learner along it. The slider is the chart's axis.

import { area, clamp, element, line, linear, logText, say, setAll, shape, wear } from "./draw.js";
import { errorAt, isBeyond } from "./table.js";

const CHART = { left: 44, right: 12, top: 8, bottom: 6 };
const MAX_DECADES = 6;

export function buildSteps(pad) {
  const find = (selector) => pad.root.querySelector(selector);
  const svg = find("svg.chart");
  const steps = {
    svg,
    slider: find(".scrubber"),
    stops: find(".stops"),
    label: find(".step-label b"),
    subtitle: find(".subtitle"),
    controls: find(".controls"),
    buttons: { previous: find(".previous"), play: find(".play"), next: find(".next") },
  };
  steps.grid = shape("g", {}, svg);
  steps.window = shape("svg", { overflow: "hidden" }, svg);
  steps.bands = shape("g", {}, steps.window);
  steps.traces = shape("g", {}, steps.window);
  steps.cursor = shape("line", { class: "cursor" }, svg);
  steps.marks = shape("g", {}, svg);
  pad.steps = steps;
  steps.slider.oninput = () => pad.act.go(Number(steps.slider.value), false);
  steps.slider.onchange = () => pad.act.go(Number(steps.slider.value), true);
  steps.buttons.previous.onclick = () => pad.act.go(pad.index - 1, true);
  steps.buttons.next.onclick = () => pad.act.go(pad.index + 1, true);
  steps.buttons.play.onclick = () => pad.act.play();
}

/** The logarithmic error scale all pictures share, from 1-2-5 to 1-2-5. While `hold`, it grows but never shrinks. */
export function errorScale(pad, hold) {
  let low = Infinity;
  let high = 0;
  for (const { on, data } of pad.learners.values()) {
    if (!on) continue;
    for (const v of data.errors) {
      if (v > 0 && v < low) low = v;
      if (v > high) high = v;
    }
  }
  if (!high) [low, high] = [0.1, 1];
  if (hold && pad.errorScale) [low, high] = [Math.min(low, pad.errorScale.low), Math.max(high, pad.errorScale.high)];
  high = round125(high, true);
  low = round125(Math.max(low, high * 10 ** -MAX_DECADES), false);
  if (high / low < 5) low = round125(high / 5, false);
  const span = Math.log10(high / low);
  const at = (v) => (v > 0 ? Math.log10(high / v) / span : 1); // 0 at the top, 1 at the bottom
  return { low, high, span, at };
}

/** The nearest 1, 2 or 5 times a power of ten, above or below. */
function round125(value, up) {
  const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
  const lead = value / power;
  const m = up ? [1, 2, 5, 10].find((c) => c >= lead - 1e-9) : [5, 2, 1].find((c) => c <= lead + 1e-9);
  return +(m * power).toPrecision(1);
}

/** Values to rule: powers of ten, and 2s and 5s between them where the scale is short. */
function logTicks({ low, high, span }) {
  const leads = span > 2.1 ? [1] : [1, 2, 5];
  const out = [];
  for (let e = Math.floor(Math.log10(low) + 1e-9); e <= Math.log10(high) + 1e-9; e++) {
    for (const m of leads) out.push(m * 10 ** e);
  }
  const inside = out.filter((v) => v >= low * 0.999 && v <= high * 1.001);
  const every = Math.max(1, Math.ceil(inside.length / 7));
  return inside.filter((_, i) => (inside.length - 1 - i) % every === 0);
}

/** Make missing traces; stops and their labels under the slider. */
export function syncSteps(pad) {
  const { steps, data } = pad;
  for (const learner of pad.learners.values()) {
    if (!learner.trace) {
      learner.errorBand = shape("path", { class: "band" }, steps.bands);
      learner.trace = shape("path", { class: "trace" }, steps.traces);
      learner.traceBeyond = shape("path", { class: "trace beyond" }, steps.traces);
      learner.mark = shape("circle", { class: "mark", r: 4 }, steps.marks);
      learner.parts.push(learner.errorBand, learner.trace, learner.traceBeyond, learner.mark);
    }
    for (const el of [learner.errorBand, learner.trace, learner.traceBeyond, learner.mark]) wear(el, learner.data);
    for (const el of [learner.trace, learner.traceBeyond]) {
      el.setAttribute("stroke-dasharray", learner.data.dash || "none");
    }
  }
  steps.slider.max = String(Math.max(0, data.stops.length - 1));
  const even = data.stops.every((v, i) => i < 2 || v - data.stops[i - 1] === data.stops[1] - data.stops[0]);
  const beyond = data.learners.some((l) => isBeyond(l, data.stops.at(-1)));
  const words = [`${data.error_label}, log scale, at the stops above${even ? "" : " (not to scale)"}.`];
  if (data.band_label) words.push(`${data.band_label[0].toUpperCase()}${data.band_label.slice(1)}.`);
  if (beyond) words.push("Pale, with hollow marks: more steps than in training.");
  say(steps.subtitle, words.join(" "));
}

/** Size and axes of the chart. */
export function layoutSteps(pad) {
  const { steps, data } = pad;
  const width = steps.svg.clientWidth;
  const height = steps.svg.clientHeight;
  if (!width) return;
  const box = { left: CHART.left, right: width - CHART.right, top: CHART.top, bottom: height - CHART.bottom };
  steps.box = box;
  steps.x = linear([0, Math.max(1, data.stops.length - 1)], [box.left, box.right]);
  const frame = { x: box.left - 4, y: box.top - 4, width: box.right - box.left + 8, height: box.bottom - box.top + 8 };
  setAll(steps.window, { ...frame, viewBox: `${frame.x} ${frame.y} ${frame.width} ${frame.height}` });
  labelStops(steps, data.stops);
  drawGrid(pad);
}

function labelStops(steps, stops) {
  const last = Math.max(1, stops.length - 1);
  const every = Math.max(1, Math.ceil((stops.length * 26) / (steps.box.right - steps.box.left)));
  steps.stops.replaceChildren();
  stops.forEach((stop, i) => {
    if (i % every && i !== last) return;
    const mark = element("span", "", steps.stops);
    mark.style.left = `${(100 * i) / last}%`;
    mark.dataset.stop = i;
    say(mark, String(stop));
  });
}

function drawGrid(pad) {
  const { steps, errorScale: scale } = pad;
  const { box, grid } = steps;
  steps.drawn = scale;
  grid.replaceChildren();
  for (const v of logTicks(scale)) {
    const y = box.top + scale.at(v) * (box.bottom - box.top);
    shape("line", { class: "gridline", x1: box.left, x2: box.right, y1: y, y2: y }, grid);
    const at = { class: "tick", x: box.left - 12, y, dy: "0.35em", "text-anchor": "end" };
    say(shape("text", at, grid), logText(v));
  }
}

/** Redraw the traces from the errors; cheap enough for every answer of a drag. */
export function drawTraces(pad) {
  const { steps, data, errorScale: scale } = pad;
  if (!steps.box) return;
  const { drawn, box } = steps;
  if (!drawn || drawn.low !== scale.low || drawn.high !== scale.high) drawGrid(pad);
  const y = (v) => box.top + clamp(scale.at(v), -1, 2) * (box.bottom - box.top);
  for (const learner of pad.learners.values()) {
    const { errors, errors_lo: lows, errors_hi: highs, seeds } = learner.data;
    const visible = learner.on && learner.shown !== null;
    const known = errors.map((_, i) => i).filter((i) => visible && errors[i] !== null && errors[i] !== undefined);
    const px = (list) => (k) => steps.x(list[k]);
    const path = (list) => line(list.length, px(list), (k) => y(errors[list[k]]));
    const split = known.filter((i) => !isBeyond(learner.data, data.stops[i])).length;
    learner.trace.setAttribute("d", path(known.slice(0, split)));
    learner.traceBeyond.setAttribute("d", split < known.length ? path(known.slice(Math.max(0, split - 1))) : "");
    const edged = seeds > 1 ? known.filter((i) => (lows?.[i] ?? null) !== null && (highs?.[i] ?? null) !== null) : [];
    const band = area(edged.length, px(edged), (k) => y(lows[edged[k]]), (k) => y(highs[edged[k]]));
    learner.errorBand.setAttribute("d", band);
  }
}

/** Redraw everything that moves with the cursor, a stop index that may lie between two stops. */
export function drawCursor(pad) {
  const { steps, data, cursor, index } = pad;
  if (steps.slider.value !== String(index)) steps.slider.value = String(index);
  const last = Math.max(1, data.stops.length - 1);
  const stop = data.stops[index];
  steps.slider.style.setProperty("--done", `${(100 * index) / last}%`);
  steps.slider.setAttribute("aria-valuetext", `inner step ${stop}`);
  say(steps.label, String(stop));
  steps.buttons.previous.disabled = index === 0;
  steps.buttons.next.disabled = index === data.stops.length - 1;
  for (const mark of steps.stops.children) mark.classList.toggle("now", Number(mark.dataset.stop) === index);
  if (!steps.box) return;
  const { box } = steps;
  const x = steps.x(cursor);
  setAll(steps.cursor, { x1: x, x2: x, y1: box.top - 4, y2: box.bottom + 2 });
  const parts = [];
  for (const learner of pad.learners.values()) {
    const error = errorAt(learner.data.errors, cursor);
    const visible = learner.on && learner.shown !== null && error !== null;
    learner.mark.style.display = visible ? "" : "none";
    if (!visible) continue;
    const y = box.top + clamp(pad.errorScale.at(error), 0, 1) * (box.bottom - box.top);
    setAll(learner.mark, { cx: x.toFixed(1), cy: y.toFixed(1) });
    learner.mark.classList.toggle("beyond", isBeyond(learner.data, stop));
    parts.push(`${learner.data.label} ${error.toPrecision(2)}`);
  }
  steps.svg.setAttribute("aria-label", `${data.error_label} after inner step ${stop}: ${parts.join(", ")}.`);
}
