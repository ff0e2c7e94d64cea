// Small pure pieces every other module draws with: elements, scales, paths, numbers as text.

export const SVG_NS = "http://www.w3.org/2000/svg";

/** Make an SVG element with attributes and append it. */
export function shape(tag, attributes, parent) {
  const el = document.createElementNS(SVG_NS, tag);
  setAll(el, attributes);
  if (parent) parent.appendChild(el);
  return el;
}

export function setAll(el, attributes) {
  for (const [name, value] of Object.entries(attributes)) el.setAttribute(name, value);
  return el;
}

/** Make an HTML element with a class and append it. */
export function element(tag, className, parent) {
  const el = document.createElement(tag);
  if (className) el.className = className;
  if (parent) parent.appendChild(el);
  return el;
}

/** Write text only where it changed, so that a redraw costs no layout. */
export function say(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

/** Wear a learner's colours and dash; CSS picks light or dark. */
export function wear(el, learner) {
  el.dataset.learner = learner.name;
  el.style.setProperty("--light", learner.light);
  el.style.setProperty("--dark", learner.dark);
}

export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

export function mix(a, b, t) {
  return a + (b - a) * t;
}

/** A linear scale from domain to range, with its inverse. */
export function linear([d0, d1], [r0, r1]) {
  const k = (r1 - r0) / (d1 - d0);
  const scale = (v) => r0 + (v - d0) * k;
  scale.invert = (p) => d0 + (p - r0) / k;
  return scale;
}

/** About `count` round numbers between low and high. */
export function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((m) => m * power >= rough) * power;
  const out = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-9; v += step) {
    out.push(Math.abs(v) < step * 1e-9 ? 0 : +v.toPrecision(10));
  }
  return out;
}

/** A tick: with a minus as long as a plus, and powers of ten where it would not fit. */
export function tickText(value) {
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential().replace("e+", "e") : String(value);
  return text.replaceAll("-", "\u2212");
}

/** Base64 of little-endian int16, every browser's own order, to integers. */
export function decode(text) {
  const bytes = atob(text);
  const out = new Uint8Array(bytes.length);
  for (let i = 0; i < out.length; i++) out[i] = bytes.charCodeAt(i); // ten times as fast as Uint8Array.from
  return new Int16Array(out.buffer);
}

/** An open path through n points given by two functions of the index. */
export function line(n, x, y) {
  let d = "";
  for (let i = 0; i < n; i++) d += (i ? "L" : "M") + x(i).toFixed(1) + "," + y(i).toFixed(1);
  return d;
}

/** A closed path between a lower and an upper edge. */
export function area(n, x, low, high) {
  let d = line(n, x, high);
  for (let i = n - 1; i >= 0; i--) d += "L" + x(i).toFixed(1) + "," + low(i).toFixed(1);
  return n ? d + "Z" : "";
}

/** Move wanted positions apart to at least `gap`, inside [low, high], each as near its wish as it can be. */
export function spread(wanted, gap, low, high) {
  const place = (ids) => {
    const half = ((ids.length - 1) * gap) / 2;
    const mean = ids.reduce((sum, i) => sum + wanted[i], 0) / ids.length;
    const middle = Math.max(Math.min(mean, high - half), low + half);
    return { ids, top: middle - half, bottom: middle + half };
  };
  const groups = [];
  for (const i of wanted.map((_, k) => k).sort((a, b) => wanted[a] - wanted[b])) {
    let group = place([i]);
    while (groups.length && groups[groups.length - 1].bottom + gap > group.top) {
      group = place([...groups.pop().ids, ...group.ids]);
    }
    groups.push(group);
  }
  const out = new Array(wanted.length);
  for (const { ids, top } of groups) ids.forEach((i, k) => (out[i] = top + k * gap));
  return out;
}

/** An error with two or three digits: 12.3, 0.31, 0.012, 4.1e-4. */
export function errorText(value) {
  if (value === null || value === undefined) return "\u2013";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e4)) return value.toExponential(1).replace("-", "\u2212");
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : size >= 0.01 ? 3 : 4);
}

const SUPERSCRIPTS = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079";

/** A tick of a logarithmic axis: 100, 0.02, then 10 to the power. */
export function logText(value) {
  if (value >= 0.0099 && value <= 1001) return String(+value.toPrecision(1));
  const exponent = Math.floor(Math.log10(value) + 1e-9);
  const lead = Math.round(value / 10 ** exponent);
  const digits = [...String(Math.abs(exponent))].map((d) => SUPERSCRIPTS[+d]).join("");
  return (lead === 1 ? "" : lead + "\u00b7") + "10" + (exponent < 0 ? "\u207b" : "") + digits;
}

/** Whether a computed css colour such as "rgb(20, 23, 28)" is dark. */
export function isDark(colour) {
  const [r, g, b] = (colour.match(/[\d.]+/g) || [255, 255, 255]).map(Number);
  const unit = colour.startsWith("color(") ? 255 : 1;
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) * unit < 128;
}

export function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
