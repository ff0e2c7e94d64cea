// The learner table: who is on, how good it is at this step, and what it did. Families keep their places.

import { calm, clamp, element, errorText, logText, mix, say, setAll, shape, wear } from "./draw.js";
import { afterAll, afterOnly, afterToggle, drawSwitches, isOnly, members, setStop } from "./switches.js";

const SORT_MS = 260;
const DENSE = 12; // from here on, rows are lower

export function buildTable(pad) {
  const find = (selector) => pad.root.querySelector(selector);
  const what = (part) => find(`.what-${part}`);
  pad.table = {
    list: find(".rows"),
    heads: [...pad.root.querySelectorAll(".sort")],
    scale: find(".scale"),
    groups: new Map(),
    sort: "family",
    what: { name: what("name"), family: what("family"), note: what("note"), formula: what("formula") },
    told: null,
  };
  for (const head of pad.table.heads) {
    head.onclick = () => {
      pad.table.sort = head.dataset.sort;
      sortTable(pad);
    };
  }
}

/** Make missing rows and write what does not change with the step. */
export function syncTable(pad) {
  const { table } = pad;
  for (const learner of pad.learners.values()) {
    const row = learner.row || (learner.row = makeRow(pad, learner));
    wear(row.item, learner.data);
    wear(row.button, learner.data);
    say(row.name, learner.data.label);
    setAll(row.swatch, { "stroke-dasharray": learner.data.dash || "none" });
    row.button.setAttribute("aria-description", learner.data.note);
    row.only.hidden = pad.learners.size < 2;
  }
  table.list.classList.toggle("dense", pad.learners.size > DENSE);
  say(table.heads[1], pad.data.error_label);
}

function makeRow(pad, learner) {
  const { name } = learner.data;
  const item = element("li", "learner");
  const button = element("button", "learner-row", item);
  button.type = "button";
  button.tabIndex = -1;
  const picture = shape("svg", { class: "swatch", viewBox: "0 0 28 12", "aria-hidden": "true" }, button);
  const swatch = shape("path", { d: "M1,6H27" }, picture);
  const title = element("span", "name", button);
  const bar = shape("svg", { class: "bar", "aria-hidden": "true" }, button);
  const row = { item, button, swatch, name: title };
  row.rules = shape("g", {}, bar);
  row.length = shape("rect", { x: 0, y: "30%", height: "40%" }, bar);
  row.range = shape("line", { class: "range", y1: "50%", y2: "50%" }, bar);
  row.here = shape("circle", { r: 3.5, cy: "50%" }, bar);
  row.error = element("span", "error number", button);
  row.only = element("button", "only", item);
  row.only.type = "button";
  row.only.tabIndex = -1;
  row.only.onclick = () => pad.act.switch(afterOnly(pad, name));
  button.onclick = () => pad.act.switch(afterToggle(pad, name), name);
  item.onpointerenter = button.onfocus = row.only.onfocus = () => pad.act.focus(name);
  item.onpointerleave = button.onblur = row.only.onblur = () => pad.act.focus(null);
  learner.parts.push(button, item);
  return row;
}

/** Write errors, their bars and the switches at the current step. Rows stay where they are. */
export function drawTable(pad) {
  const { data, index, cursor, table } = pad;
  const scale = pad.errorScale;
  const x = (v) => `${(100 * (1 - clamp(scale.at(v), 0, 1))).toFixed(1)}%`; // lower errors to the left
  const rules = table.ruled === scale ? null : decades(scale);
  if (rules) drawScale(table, rules, scale, x);
  const best = Math.min(...members(pad).map((l) => (l.on ? (l.data.errors[index] ?? Infinity) : Infinity)));
  for (const learner of pad.learners.values()) {
    const { row, on, data: d } = learner;
    row.button.setAttribute("aria-pressed", String(on));
    const error = d.errors[index] ?? null;
    const pending = on && !learner.shown;
    say(row.error, on ? (pending ? "\u2026" : errorText(error)) : "");
    row.error.classList.toggle("best", on && error === best);
    if (rules) {
      row.rules.replaceChildren(...rules.map((v) => shape("line", { x1: x(v), x2: x(v), y1: 0, y2: "100%" })));
    }
    drawBar(row, d, on ? cursor : null, x, isBeyond(d, data.stops[index]));
    const only = isOnly(pad, learner.name);
    say(row.only, only ? "back" : "only");
    row.only.setAttribute("aria-label", only ? "Back to the learners that were on before" : `Only ${d.label}`);
    row.button.setAttribute("aria-label", `${d.label}, ${d.family_label}, ${spoken(d, on, error, pad)}`);
  }
  for (const [family, group] of table.groups) drawHeading(pad, family, group);
  drawSwitches(pad);
  if (table.shownFor) writeState(pad, table.shownFor);
}

function drawBar(row, d, cursor, x, beyond) {
  const at = (errors) => (cursor === null ? null : errorAt(errors, cursor));
  const [spot, low, high] = [at(d.errors), at(d.errors_lo), at(d.errors_hi)];
  row.here.style.display = row.length.style.display = spot === null ? "none" : "";
  row.range.style.display = spot === null || low === null || high === null || d.seeds < 2 ? "none" : "";
  if (spot === null) return;
  row.here.setAttribute("cx", x(spot));
  row.length.setAttribute("width", x(spot));
  row.here.classList.toggle("beyond", beyond);
  if (low !== null && high !== null) setAll(row.range, { x1: x(low), x2: x(high) });
}

function spoken(d, on, error, pad) {
  if (!on) return "off";
  const seeds = [d.errors_lo[pad.index] ?? null, d.errors_hi[pad.index] ?? null];
  const range = d.seeds > 1 && !seeds.includes(null) ? `, seeds ${seeds.map(errorText).join(" to ")}` : "";
  return `${pad.data.error_label} ${errorText(error)}${range}, ${stepsTaken(d, pad.data.stops[pad.index])}`;
}

/** Powers of ten on the scale. */
function decades({ low, high }) {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const count = Math.floor(Math.log10(high) + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => 10 ** (first + i));
}

/** The axis of the bars: two or three of the powers of ten are named, none under the heading of the errors. */
function drawScale(table, rules, scale, x) {
  table.ruled = scale;
  const room = rules.filter((v) => parseFloat(x(v)) < 80);
  const every = Math.max(1, Math.ceil(room.length / (table.scale.clientWidth < 80 ? 2 : 3)));
  const marks = room.filter((_, i) => i % every === 0);
  table.scale.replaceChildren();
  for (const v of marks) say(shape("text", { x: x(v), y: "1em", "text-anchor": "middle" }, table.scale), logText(v));
}

function drawHeading(pad, family, { button, act }) {
  const these = members(pad, family);
  if (!these.length) return;
  const on = these.filter((learner) => learner.on).length;
  const label = these[0].data.family_label;
  const word = on === these.length ? "none" : "all";
  button.classList.toggle("alone", these.length < 2);
  button.disabled = these.length < 2;
  say(act, word);
  button.setAttribute("aria-label", `${label}: ${on} of ${these.length} on, switch ${word === "all" ? "all on" : "all off"}`);
}

/** Whether a learner has by now taken more steps than it was trained for. */
export function isBeyond(learner, stop) {
  return Math.min(stop, learner.steps) > learner.trained_steps;
}

/** How far a learner has got, in words. */
function stepsTaken(d, stop) {
  if (!d.steps) return "no inner steps";
  const far = stop >= d.steps ? `done after ${d.steps} step${d.steps === 1 ? "" : "s"}` : `step ${stop} of ${d.steps}`;
  return isBeyond(d, stop) ? `${far}, trained for ${d.trained_steps}` : far;
}

/** The error at a place between two stops, interpolated in the logarithm; null in a gap. */
export function errorAt(errors, cursor) {
  const i = Math.floor(cursor);
  const a = errors[i] ?? null;
  const b = errors[Math.min(i + 1, errors.length - 1)] ?? null;
  if (cursor === i || a === null || b === null) return a;
  if (a <= 0 || b <= 0) return mix(a, b, cursor - i);
  return Math.exp(mix(Math.log(a), Math.log(b), cursor - i));
}

/** Put the rows in order and let them slide there. Called at rest, never during a drag. */
export function sortTable(pad) {
  const { table, index } = pad;
  for (const head of table.heads) head.setAttribute("aria-pressed", String(head.dataset.sort === table.sort));
  const learners = members(pad);
  const value = (l) => (l.on ? (l.data.errors[index] ?? Infinity) : Infinity);
  const byError = table.sort === "error";
  if (byError) learners.sort((a, b) => b.on - a.on || (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0));
  const order = learners.map((l) => l.row.item);
  const now = [...table.list.querySelectorAll(".learner")];
  if (table.sorted === table.sort && order.length === now.length && order.every((el, i) => el === now[i])) return;
  table.sorted = table.sort;
  const focused = table.list.getRootNode().activeElement;
  const before = new Map(now.map((el) => [el, el.getBoundingClientRect().top]));
  table.list.style.minHeight = byError ? `${table.list.offsetHeight}px` : ""; // what is below keeps its place
  if (byError) table.list.replaceChildren(...order);
  else group(pad, learners);
  setStop(table.list, null);
  if (focused && table.list.contains(focused)) focused.focus({ preventScroll: true });
  if (calm()) return;
  for (const el of order) {
    const moved = before.has(el) ? before.get(el) - el.getBoundingClientRect().top : 0;
    if (moved) el.animate([{ transform: `translateY(${moved}px)` }, { transform: "none" }], { duration: SORT_MS, easing: "ease-out" });
  }
}

function group(pad, learners) {
  const { table } = pad;
  const families = [...new Set(learners.map((l) => l.data.family))];
  for (const [family, { item }] of table.groups) if (!families.includes(family)) item.remove();
  for (const family of families) {
    const these = learners.filter((l) => l.data.family === family);
    const made = table.groups.get(family) || makeGroup(pad, family, these[0].data.family_label);
    made.rows.replaceChildren(...these.map((l) => l.row.item));
    drawHeading(pad, family, made);
  }
  table.list.replaceChildren(...families.map((family) => table.groups.get(family).item));
}

function makeGroup(pad, family, label) {
  const item = element("li", "group");
  const button = element("button", "family", item);
  button.type = "button";
  button.tabIndex = -1;
  say(element("span", "", button), label);
  const act = element("span", "act", button);
  button.onclick = () => pad.act.switch(afterAll(pad, family));
  const rows = element("ul", "", item);
  rows.setAttribute("aria-label", label);
  const made = { item, button, act, rows };
  pad.table.groups.set(family, made);
  return made;
}

/** Say what one learner did. Without a name: keep the last one told, or tell the best. */
export function tell(pad, name) {
  const { table } = pad;
  const best = members(pad)
    .filter((l) => l.on)
    .sort((a, b) => (a.data.errors[pad.index] ?? Infinity) - (b.data.errors[pad.index] ?? Infinity))[0];
  const learner = pad.learners.get(name) || pad.learners.get(table.told) || best;
  if (name && learner) table.told = name;
  table.shownFor = learner?.name ?? null;
  const d = learner?.data;
  say(table.what.name, d ? d.label : "");
  say(table.what.family, "");
  if (d) writeState(pad, learner.name);
  say(table.what.note, d ? d.note : "Switch a learner on to see what it does with these points.");
  say(table.what.formula, d ? d.formula : "");
}

function writeState(pad, name) {
  const learner = pad.learners.get(name);
  if (!learner) return;
  const { data: d, on } = learner;
  const far = on ? stepsTaken(d, pad.data.stops[pad.index]) : "off";
  say(pad.table.what.family, [d.family_label, d.meta_trained ? "" : "not meta-trained", far].filter(Boolean).join(" \u00b7 "));
}
