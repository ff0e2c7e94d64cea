// Which learners are on: one, one family, all, or those a collection shows at first; and the keys of the list.

import { say } from "./draw.js";

const MANY = 8; // on at once: their bands are drawn fainter

const named = (learners) => learners.map((learner) => learner.name);

/** The learners of the pad, or of one family. */
export function members(pad, family) {
  const all = [...pad.learners.values()];
  return family ? all.filter((learner) => learner.data.family === family) : all;
}

/** What a click on "all" or "none" leaves on: all of these learners, or none where all of them are on. */
export function afterAll(pad, family) {
  const these = members(pad, family);
  const every = these.every((learner) => learner.on);
  const kept = members(pad).filter((learner) => learner.on && !these.includes(learner));
  return named(every ? kept : [...kept, ...these]);
}

export function afterToggle(pad, name) {
  return named(members(pad).filter((learner) => learner.on !== (learner.name === name)));
}

/** Only this one; where it is the only one, what was on before. */
export function afterOnly(pad, name) {
  const on = named(members(pad).filter((learner) => learner.on));
  if (!isOnly(pad, name)) {
    pad.before = on;
    return [name];
  }
  const before = (pad.before || []).filter((other) => other !== name && pad.learners.has(other));
  return before.length ? pad.before : atFirst(pad);
}

export function isOnly(pad, name) {
  return members(pad).every((learner) => learner.on === (learner.name === name));
}

export function atFirst(pad) {
  return named(members(pad).filter((learner) => learner.data.first));
}

export function buildSwitches(pad) {
  const find = (selector) => pad.root.querySelector(selector);
  pad.switches = { count: find(".count"), first: find(".bulk .first"), all: find(".bulk .all"), line: find(".bulk") };
  pad.switches.first.onclick = () => pad.act.switch(atFirst(pad));
  pad.switches.all.onclick = () => pad.act.switch(afterAll(pad));
  bindListKeys(pad);
}

/** The line above the list: how many are on, and the ways to switch many at once. */
export function drawSwitches(pad) {
  const { count, first, all, line } = pad.switches;
  const learners = members(pad);
  const on = learners.filter((learner) => learner.on);
  line.classList.toggle("few", learners.length < 2);
  pad.root.classList.toggle("many", on.length > MANY);
  say(count, `${on.length} of ${learners.length} on`);
  first.hidden = learners.every((learner) => learner.data.first);
  first.disabled = learners.every((learner) => learner.on === learner.data.first);
  say(all, on.length === learners.length ? "none" : "all");
  all.setAttribute("aria-label", on.length === learners.length ? "Switch all learners off" : "Switch all learners on");
}

const STOPS = ".learner-row, .family:not(.alone)";

/** One stop of the Tab key for the whole list: arrows move inside it. */
function bindListKeys(pad) {
  const list = pad.root.querySelector(".rows");
  const visible = () => [...list.querySelectorAll(STOPS)].filter((el) => el.offsetParent);
  list.addEventListener("focusin", (event) => setStop(list, event.target.closest("li")?.querySelector(STOPS)));
  list.onkeydown = (event) => {
    const here = event.target.closest(STOPS) || event.target.closest("li")?.querySelector(STOPS);
    const name = event.target.closest("[data-learner]")?.dataset.learner;
    const stops = visible();
    const at = stops.indexOf(here);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: stops.length - 1 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (next !== undefined) stops[Math.min(Math.max(next, 0), stops.length - 1)]?.focus();
    else if (event.key.toLowerCase() === "o" && name) pad.act.switch(afterOnly(pad, name));
    else return;
    event.preventDefault();
  };
}

/** Keep exactly one stop of the list in the order of the Tab key. */
export function setStop(list, wanted) {
  const stops = [...list.querySelectorAll(STOPS)];
  const stop = stops.includes(wanted) ? wanted : stops.find((el) => el.tabIndex === 0) || list.querySelector(".learner-row");
  for (const el of stops) el.tabIndex = el === stop ? 0 : -1;
}
