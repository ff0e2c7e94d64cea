// The learner table: who is on, how good it is at this step, how far it got, and what it did.

import { calm, clamp, element, errorText, line, mix, say, setAll, shape, wear } from "./draw.js";

const SPARK = { width: 50, height: 18 };
const SORT_MS = 260;

export function buildTable(pad) {
  const find = (selector) => pad.root.querySelector(selector);
  const what = (part) => find(`.what-${part}`);
  pad.table = {
    list: find(".rows"),
    heads: [...pad.root.querySelectorAll(".sort")],
    families: new Map(),
    sort: "error",
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
  for (const learner of pad.learners.values()) {
    const row = learner.row || (learner.row = makeRow(pad, learner));
    wear(row.button, learner.data);
    say(row.name, learner.data.label);
    setAll(row.swatch, { "stroke-dasharray": learner.data.dash || "none" });
    row.button.setAttribute("aria-description", learner.data.note);
  }
  const [, error] = pad.table.heads;
  say(error, pad.data.error_label);
}

function makeRow(pad, learner) {
  const { name } = learner.data;
  const item = element("li", "", pad.table.list);
  const button = element("button", "learner-row", item);
  button.type = "button";
  const picture = shape("svg", { class: "swatch", viewBox: "0 0 32 12", "aria-hidden": "true" }, button);
  const swatch = shape("path", { d: "M1,6H31" }, picture);
  const title = element("span", "name", button);
  const view = `0 0 ${SPARK.width} ${SPARK.height}`;
  const spark = shape("svg", { class: "spark", viewBox: view, "aria-hidden": "true" }, button);
  const row = { item, button, swatch, name: title };
  row.trend = shape("path", {}, spark);
  row.here = shape("circle", { r: 2.5 }, spark);
  row.error = element("span", "error number", button);
  row.taken = element("span", "steps-taken number", button);
  button.onclick = () => pad.act.toggle(name);
  button.onpointerenter = button.onfocus = () => pad.act.focus(name);
  button.onpointerleave = button.onblur = () => pad.act.focus(null);
  learner.parts.push(button, item);
  return row;
}

/** Write errors, sparklines and step counts at the current step. Rows stay where they are. */
export function drawTable(pad) {
  const { data, index, cursor } = pad;
  const scale = pad.errorScale;
  const last = Math.max(1, data.stops.length - 1);
  const x = (i) => 2 + (i / last) * (SPARK.width - 4);
  const y = (v) => 2 + clamp(scale.at(v), 0, 1) * (SPARK.height - 4);
  for (const learner of pad.learners.values()) {
    const { row, on, data: d } = learner;
    row.button.setAttribute("aria-pressed", String(on));
    const error = d.errors[index];
    say(row.error, on ? errorText(error) : "");
    const known = d.errors.map((v, i) => [v, i]).filter(([v]) => v !== null && v !== undefined);
    row.trend.setAttribute("d", line(known.length, (k) => x(known[k][1]), (k) => y(known[k][0])));
    const spot = errorAt(d.errors, cursor);
    row.here.style.display = spot === null ? "none" : "";
    if (spot !== null) setAll(row.here, { cx: x(cursor).toFixed(1), cy: y(spot).toFixed(1) });
    drawTaken(row, on, d, data.stops[index]);
    const state = on ? `${data.error_label} ${errorText(error)}, step ${row.taken.textContent}` : "off";
    row.button.setAttribute("aria-label", `${d.label}, ${d.family_label}, ${state}`);
  }
}

function drawTaken(row, on, d, stop) {
  const taken = Math.min(stop, d.steps);
  const beyond = on && isBeyond(d, stop);
  const done = stop >= d.steps ? (d.steps ? `${d.steps}, done` : "no steps") : `${taken} of ${d.steps}`;
  say(row.taken, on ? done : "off");
  row.taken.classList.toggle("beyond", beyond);
  row.taken.title = beyond ? `Beyond training: it was trained for ${d.trained_steps} inner steps.` : "";
}

/** Whether a learner has by now taken more steps than it was trained for. */
export function isBeyond(learner, stop) {
  return Math.min(stop, learner.steps) > learner.trained_steps;
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
  const learners = [...pad.learners.values()];
  const value = (l) => (l.on ? (l.data.errors[index] ?? Infinity) : Infinity);
  if (table.sort === "error") learners.sort((a, b) => b.on - a.on || (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0));
  const order = table.sort === "error" ? learners.map((l) => l.row.item) : grouped(table, learners);
  if (order.length === table.list.children.length && order.every((el, i) => el === table.list.children[i])) return;
  const focused = table.list.getRootNode().activeElement;
  const before = new Map([...table.list.children].map((el) => [el, el.getBoundingClientRect().top]));
  table.list.replaceChildren(...order);
  if (focused && table.list.contains(focused)) focused.focus({ preventScroll: true });
  if (calm()) return;
  for (const el of order) {
    const moved = before.has(el) ? before.get(el) - el.getBoundingClientRect().top : 0;
    if (moved) el.animate([{ transform: `translateY(${moved}px)` }, { transform: "none" }], { duration: SORT_MS, easing: "ease-out" });
  }
}

function grouped(table, learners) {
  const groups = new Map();
  for (const l of learners) {
    const name = l.data.family_label;
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(l.row.item);
  }
  return [...groups].flatMap(([name, items]) => {
    if (!table.families.has(name)) say(table.families.set(name, element("li", "family")).get(name), name);
    return [table.families.get(name), ...items];
  });
}

/** Say what one learner did. Without a name: keep the last one told, or tell the best. */
export function tell(pad, name) {
  const { table } = pad;
  const best = [...pad.learners.values()]
    .filter((l) => l.on)
    .sort((a, b) => (a.data.errors[pad.index] ?? Infinity) - (b.data.errors[pad.index] ?? Infinity))[0];
  const learner = pad.learners.get(name) || pad.learners.get(table.told) || best;
  if (name && learner) table.told = name;
  const d = learner?.data;
  say(table.what.name, d ? d.label : "");
  say(table.what.family, d ? d.family_label : "");
  say(table.what.note, d ? d.note : "Switch a learner on to see what it does with these points.");
  say(table.what.formula, d ? d.formula : "");
}
