// Easing between two states of the picture: from what is on screen to what the data say.

import { calm, mix } from "./draw.js";

/** What is on screen now, to ease away from. */
export function snapshot(pad) {
  const shown = new Map();
  for (const [name, learner] of pad.learners) if (learner.shown) shown.set(name, learner.shown.slice());
  return { shown, cursor: pad.cursor, points: pad.points };
}

export function ease(pad, from, duration) {
  if (calm()) return;
  const points = from.points.length === pad.points.length && from.points !== pad.points ? from.points : null;
  pad.tween = { ...from, points, to: pad.points, start: performance.now(), duration };
  cancelAnimationFrame(pad.frame);
  pad.frame = requestAnimationFrame(() => tick(pad));
}

function tick(pad) {
  if (!pad.tween) return;
  if (performance.now() - pad.tween.start >= pad.tween.duration) {
    pad.points = pad.tween.to;
    pad.tween = null;
  }
  pad.act.draw();
  if (pad.tween) pad.frame = requestAnimationFrame(() => tick(pad));
}

/** Bring `shown`, `cursor` and the points to this instant: the end state, or between two states. */
export function compose(pad) {
  const { tween } = pad;
  const past = tween ? Math.min(1, (performance.now() - tween.start) / tween.duration) : 1;
  const t = 1 - (1 - past) ** 3;
  const size = 3 * pad.data.grid.length;
  for (const [name, learner] of pad.learners) {
    if (!learner.curves || learner.curves.length < size * learner.drawn.length) {
      learner.shown = null;
      continue;
    }
    const place = learner.drawn.indexOf(pad.index);
    if (place < 0) continue; // not here yet: what is on screen stays until it is
    const start = tween?.shown.get(name);
    const eased = start && start.length === size;
    const shown = new Float32Array(size);
    for (let i = 0; i < size; i++) {
      const target = pad.data.zero + learner.curves[place * size + i] * pad.data.unit;
      shown[i] = eased ? mix(start[i], target, t) : target;
    }
    learner.shown = shown;
  }
  pad.cursor = tween ? mix(tween.cursor, pad.index, t) : pad.index;
  if (!tween?.points) return pad.points;
  return tween.points.map((p, i) => [mix(p[0], tween.to[i][0], t), mix(p[1], tween.to[i][1], t)]);
}
