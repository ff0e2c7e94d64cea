// The hand: what a mouse, a finger and the keys do to the support points.

import { clamp, mix } from "./draw.js";
import { coarse, drawPoints } from "./stage.js";

const DOUBLE_MS = 400;
const TAP_SLACK = 8;

export function bindHand(pad) {
  bindPointer(pad);
  bindKeys(pad);
}

/** Keep a point inside the domain, on a raster fine enough for the eye. */
function inside({ data, domain }, x, y) {
  const fit = (v, ends) => {
    const grain = 10 ** (5 - coarse(ends));
    return clamp(Math.round(v * grain) / grain, ...ends);
  };
  return [fit(x, data.x_domain), fit(y, domain)];
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

/** How far an arrow key moves a point: 0.1 where the domain is 10 to 100 wide. */
function nudge(ends) {
  return 10 ** (coarse(ends) - 2);
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
    const much = event.shiftKey ? 5 : event.altKey ? 0.1 : 1;
    const [x, y] = pad.points[index];
    const [dx, dy] = arrow.map((way, i) => way * much * nudge([pad.data.x_domain, pad.domain][i]));
    pad.points = pad.points.with(index, inside(pad, x + dx, y + dy));
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
  const [wide, tall] = [pad.data.x_domain, pad.domain].map((ends) => nudge(ends) / 2);
  const taken = () => pad.points.some((p) => Math.abs(p[0] - x) < wide && Math.abs(p[1] - y) < tall);
  for (let k = 0; k < 64 && taken(); k++) x = clamp(x + (high - low) / 40, low, high);
  const index = addPoint(pad, inside(pad, x, y));
  if (index < 0) return;
  pad.stage.points[index].focus();
  pad.act.edited(true);
}
