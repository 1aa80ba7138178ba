// How does noise become a density?  (chapter 2)
//
// The generator is a line that bends: five control points stand over z = -2, -1, 0, 1, 2. Its slope is that of
// the polygon through them at the middle of each edge, linear from one middle to the next, and constant outside.
// So G is a chain of parabolas between two rays, C1, and rises everywhere exactly if the polygon does.

// ---------------------------------------------------------------- numerics

/** The densities of the noise, (z) -> p_z(z). */
export const NOISES = {
  normal: (z) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI),
  uniform: (z) => (Math.abs(z) < 2 ? 0.25 : 0),
};

/** The pieces of G from left to right: x = v + m u + b u^2 / 2 with u = z - at, for z from `from` to `to`. */
export function pieces(h) {
  const m = h.slice(1).map((y, i) => y - h[i]), v = m.map((_, i) => (h[i] + h[i + 1]) / 2), last = m.length - 1;
  const at = (i) => i - 1.5;
  return [
    { from: -Infinity, to: at(0), at: at(0), v: v[0], m: m[0], b: 0 },
    ...m.slice(1).map((next, i) => ({ from: at(i), to: at(i + 1), at: at(i), v: v[i], m: m[i], b: next - m[i] })),
    { from: at(last), to: Infinity, at: at(last), v: v[last], m: m[last], b: 0 },
  ];
}

const piece = (parts, z) => parts[z < -1.5 ? 0 : Math.min(parts.length - 1, Math.floor(z + 2.5))];
const value = (p, z) => p.v + (z - p.at) * (p.m + (p.b * (z - p.at)) / 2);
const slope = (p, z) => p.m + p.b * (z - p.at);

/** x = G(z). */
export const generate = (h, z) => value(piece(pieces(h), z), z);

/** Does G rise, fall, or do both? */
export function kind(h) {
  const m = pieces(h).map((p) => p.m);
  return m.every((s) => s >= 0) ? "increasing" : m.every((s) => s <= 0) ? "decreasing" : "folded";
}

/** The points of noise that G sends to x, from left to right: { z, slope, share, signed }, of which share = p_z / |G'|. */
export function preimages({ heights, noise }, x) {
  const out = [];
  for (const part of pieces(heights)) {
    const { from, to, at, v, m, b } = part, c = v - x;
    const r = -(m + (m < 0 ? -1 : 1) * Math.sqrt(m * m - 2 * b * c)); // no digits cancel; NaN if there is no root
    for (const u of b ? [r / b, (2 * c) / r] : [-c / m]) {
      const z = at + u, p = NOISES[noise](z);
      if (!(z > from - 1e-9 && z < to + 1e-9) || p === 0) continue;
      if (out.some((o) => Math.abs(o.z - z) < 1e-7)) continue; // where two pieces meet, or a parabola turns
      const tilt = slope(part, z);
      out.push({ z, slope: tilt, share: p / Math.abs(tilt), signed: p / tilt });
    }
  }
  return out.sort((a, b) => a.z - b.z);
}

const sum = (values) => values.reduce((s, v) => s + v, 0);
/** The density of G(z) at x, derived. */
export const density = (s, x) => sum(preimages(s, x).map((o) => o.share));
/** The same without the absolute value. */
export const signed = (s, x) => sum(preimages(s, x).map((o) => o.signed));

/** n numbers of noise in rising order: a random one out of each of n slices of equal mass. */
export function draw(noise, n, seed) {
  const step = 1 / 256, z = new Float64Array(n), u = uniforms(seed);
  let edge = -8, low = 0, high = NOISES[noise](edge + step / 2) * step;
  for (let i = 0; i < n; i++) {
    const mass = (i + u()) / n;
    while (mass > high && edge < 8) {
      edge += step;
      low = high;
      high += NOISES[noise](edge + step / 2) * step;
    }
    z[i] = edge + (step * (mass - low)) / (high - low);
  }
  return z;
}

/** All the noise pushed through G: the samples x, in the order of the noise. */
export function push(h, z) {
  const parts = pieces(h);
  return z.map((e) => value(piece(parts, e), e));
}

/** The share of samples within w/2 of x, for each unit of length: the density there, measured. */
export function measured(samples, x, w = WINDOW) {
  let n = 0;
  for (const e of samples) if (Math.abs(e - x) < w / 2) n++;
  return n / samples.length / w;
}

/** The mass of all x under the formula without the absolute value: that of the noise where G rises, less that where it falls. */
export function signedMass(h, z) {
  const parts = pieces(h);
  let n = 0;
  for (const e of z) n += Math.sign(slope(piece(parts, e), e));
  return n / z.length;
}

/** Where G is flat on an interval: { x, mass }, an atom. */
export const atoms = ({ heights, noise }) => pieces(heights).filter((p) => p.m === 0 && p.b === 0).map((p) => {
  const from = Math.max(p.from, -8), to = Math.min(p.to, 8), n = 2048;
  return { x: p.v, mass: sum(Array.from({ length: n }, (_, i) => NOISES[noise](between(from, to, (i + 0.5) / n)))) * (to - from) / n };
});

export const COUNT = 100_000, WINDOW = 0.05;
const number = (q) => (Math.abs(q) < 1e-12 ? "0" : Number.isFinite(q) ? show(q) : "∞");
const NUMBER = ["No point", "One point", "Two points", "Three points", "Four points", "Five points"];

/** The sentence below the picture. */
export function say(s, x, found, near, mass) {
  const q = sum(found.map((o) => o.share)), flat = atoms(s).filter((a) => Math.abs(a.x - x) < WINDOW / 2);
  const start = `${NUMBER[found.length]} of noise ${found.length < 2 ? "lands" : "land"} on x = ${fixed(x, 2)}`;
  if (flat.length) return `G is flat at this height: ${fixed(100 * sum(flat.map((a) => a.mass)), 1)} % of the noise lands on x = ${fixed(flat[0].x, 2)} exactly. It is an atom, and an atom has no density.`;
  if (q === Infinity) return `G turns at x = ${fixed(x, 2)}. There the slope is 0 and the density infinite; the window of the histogram has ${show(near)}.`;
  if (!found.length) return `${start}, so the density is 0 there, and ${near ? "only the window of the histogram reaches samples" : "so is the histogram"}.`;
  const where = `z = ${found.map((o) => fixed(o.z, 2)).join(", ").replace(/, (?!.*,)/, " and ")}`;
  const first = found.length === 1 ? `${start}: ${where}. It brings ${show(q)} to the density` : `${start}: ${where}. Their shares add up to the density ${show(q)}`;
  const sign = found.every((o) => o.slope > 0) ? "Here G rises, and without the absolute value nothing changes" :
    found.every((o) => o.slope < 0) ? `Here G falls: without the absolute value the density would be ${number(signed(s, x))}` :
    `Without the absolute value rising and falling points cancel, and ${number(signed(s, x))} is left`;
  return `${first}; the histogram has ${show(near)}. ${sign}; all x together would have the mass ${fixed(Math.round(100 * mass) / 100 + 0, 2)}.`;
}

// ---------------------------------------------------------------- drawing

export const SHAPES = {
  increasing: [-1.9, -1.5, -0.9, 0.2, 2.4],
  decreasing: [2.4, 0.2, -0.9, -1.5, -1.9],
  folded: [-2.2, 1.2, 0.4, -1.2, 1.8],
};
const REACH = 3, SIDE = 270, L = 26, T = 20, STRIP = 56, W = L + SIDE + 4, FLOOR = T + SIDE, H = FLOOR + STRIP + 30;
const X = (z) => between(L, L + SIDE, (z + REACH) / (2 * REACH)); // noise runs across, data upwards, in the same unit
const Y = (x) => between(FLOOR, T, (x + REACH) / (2 * REACH));
const box = `<rect x="${L}" y="${T}" width="${SIDE}" height="${SIDE}"`;
const frame = (id, inside) => `<clipPath id="${id}">${box}/></clipPath>${box} class="axis"/><g clip-path="url(#${id})">${inside}</g>`;
const upright = [-3, -2, -1, 0, 1, 2, 3].map((v) => word(L - 6, Y(v) + 4, fixed(v, 0), 'text-anchor="end"')).join("");
const level = (x) => line(L, Y(x), L + SIDE, Y(x), "cursor");
const rising = (o) => (o.slope >= 0 ? "full" : "open");

// Left: the curve, its control points, the noise below, and the threads from noise to data.
function mapPanel(id, s, x, found, point) {
  const parts = pieces(s.heights), grid = Array.from({ length: 601 }, (_, i) => -REACH + i / 100);
  const foot = FLOOR + STRIP, P = (z) => foot - (STRIP - 12) * (NOISES[s.noise](z) / 0.4);
  const polygon = s.heights.map((y, i) => [X(i - 2), Y(y)]);
  const seen = found.filter((o) => Math.abs(o.z) <= REACH);
  const ticks = [-3, -2, -1, 0, 1, 2, 3].map((v) => line(X(v), foot, X(v), foot + 4, "tick") + word(X(v), foot + 16, fixed(v, 0), 'text-anchor="middle"')).join("");
  return frame(id, level(x) + `<path d="${path(polygon)}" class="polygon"/>` +
      `<path d="${path(grid.map((z) => [X(z), Y(value(piece(parts, z), z))]))}" class="map"/>` +
      seen.map((o) => line(X(o.z), Y(x), X(o.z), FLOOR, "thread")).join("")) +
    seen.map((o) => line(X(o.z), FLOOR, X(o.z), foot, "thread") + line(X(o.z), P(o.z), X(o.z), foot, "mass")).join("") +
    `<path d="${path(grid.map((z) => [X(z), P(z)]))}" class="noise"/>` + line(L, foot, L + SIDE, foot, "axis") + ticks + upright +
    polygon.map(([a, b], i) => `<rect x="${a - 5}" y="${b - 5}" width="10" height="10" class="handle${i === point ? " now" : ""}"/>`).join("") +
    seen.map((o) => dot(X(o.z), Y(x), 5, rising(o))).join("") +
    word(L, T - 7, "x = G(z)") + word(L + 4, FLOOR + 14, "noise density") + word(L + SIDE, H - 1, "z", 'text-anchor="end"');
}

const TOPS = [0.4, 0.6, 0.8, 1, 1.6, 2.4];
// Right: the density of x, sideways. Bars are samples, dashes derived, the third curve is the signed formula.
function densityPanel(id, s, x, found, bars, width) {
  const tall = bars.toSorted((a, b) => b - a)[3], top = TOPS.find((e) => e >= tall) ?? TOPS.at(-1); // a peak may leave the picture
  const D = (q) => between(L, L + SIDE, (Math.max(-2 * top, Math.min(2 * top, q || 0)) / top + 1) / 2);
  const grid = Array.from({ length: 481 }, (_, i) => -REACH + i / 80);
  const all = grid.map((e) => [e, preimages(s, e)]);
  const curve = (key, points = all) => path(points.map(([e, at]) => [D(sum(at.map((o) => o[key]))), Y(e)]));
  let from = 0;
  const stack = found.map((o) => {
    const to = from + o.share, bar = `<rect x="${D(from)}" y="${Y(x) - 4}" width="${Math.max(0, D(to) - D(from) - 1)}" height="8" class="${rising(o)} share"/>`;
    from = to;
    return bar;
  }).join("");
  const ticks = [-top, -top / 2, 0, top / 2, top].map((q) =>
    line(D(q), FLOOR, D(q), FLOOR + 4, "tick") + word(D(q), FLOOR + 16, String(q).replace("-", "−"), 'text-anchor="middle"')).join("");
  return frame(id, bars.map((q, i) => `<rect x="${D(0)}" y="${Y(-REACH + (i + 1) * width)}" width="${D(q) - D(0)}" height="${(SIDE * width) / (2 * REACH)}" class="bar"/>`).join("") +
      line(D(0), T, D(0), FLOOR, "axis") + level(x) + `<path d="${curve("signed", all.filter(([, at]) => at.every((o) => o.slope)))}" class="signed"/>` +
      `<path d="${curve("share")}" class="derived"/>${stack}`) +
    ticks + upright + word(L, T - 7, "x") + word(D(0), FLOOR + 34, "density of x", 'text-anchor="middle"');
}

const LOOK = `
.gl-fig .map{stroke:var(--fake);stroke-width:2.6;stroke-linejoin:round}
.gl-fig .polygon{stroke:currentColor;stroke-opacity:.3}.gl-fig .noise{stroke:currentColor;stroke-width:1.4}
.gl-fig .handle{fill:currentColor;fill-opacity:.3;stroke:currentColor}.gl-fig .handle.now{fill-opacity:1}
.gl-fig .thread{stroke:currentColor;stroke-opacity:.55;stroke-dasharray:2 3}.gl-fig .mass{stroke:currentColor;stroke-width:3}
.gl-fig .bar{fill:var(--fake);fill-opacity:.32}.gl-fig .signed{stroke:var(--other);stroke-width:2.4;stroke-linejoin:round}
.gl-fig .gl-level{cursor:ns-resize;touch-action:pan-y}`;

// The shape is read off the control points, and choosing one moves them.
const shapes = choice("shape", "Shape of G", { increasing: "increasing", decreasing: "decreasing", folded: "folded" });

function render({ model, el }) {
  let z, samples, bars, mass, known = {};
  const width = 0.1;

  function work(t) { // what the slider of x leaves alone
    const noise = `${t.noise} ${t.seed}`, map = `${noise} ${t.heights}`;
    if (known.noise !== noise) z = draw(t.noise, COUNT, t.seed);
    if (known.map !== map) {
      samples = push(t.heights, z);
      mass = signedMass(t.heights, z);
      bars = new Array(Math.round((2 * REACH) / width)).fill(0);
      for (const e of samples) {
        const i = Math.floor((e + REACH) / width);
        if (i >= 0 && i < bars.length) bars[i] += 1 / COUNT / width;
      }
    }
    known = { noise, map };
  }

  function redraw({ id, panels: [left, right], say: sentence, note, cells, root }, t) {
    work(t);
    const s = { heights: t.heights, noise: t.noise }, found = preimages(s, t.x), near = measured(samples, t.x);
    const be = density(s, t.x), wrong = signed(s, t.x);
    left.innerHTML = mapPanel(`${id}-map`, s, t.x, found, t.point);
    right.innerHTML = densityPanel(`${id}-density`, s, t.x, found, bars, width);
    left.setAttribute("aria-label", `Generator, ${kind(t.heights)}. Control point ${t.point + 1} of 5 is at z = ${fixed(t.point - 2, 0)}, x = ${fixed(t.heights[t.point], 1)}. ` +
      "Left and right arrow keys choose a control point, up and down move it.");
    right.setAttribute("aria-label", `Density of x, samples and formula: ${number(be)} at x = ${fixed(t.x, 2)}; without the absolute value ${number(wrong)}.`);
    cells[0].textContent = cells[2].textContent = show(near);
    cells[1].innerHTML = `${number(be)}<small>Σ p(z) / |G′(z)|</small>`;
    cells[3].innerHTML = `${number(wrong)}<small>Σ p(z) / G′(z)</small>`;
    sentence.textContent = say(s, t.x, found, near, mass);
    note.textContent = `Measured: the share of ${whole(COUNT)} samples within ${WINDOW / 2} of x, for each unit of length. ` +
      "It rounds off the peaks, which are infinite where G turns. Points are full where G rises, open where it falls. Drag the squares, or move them with the arrow keys.";
    Object.assign(root.dataset, { measured: near, derived: be, signed: wrong });
  }

  const fig = figure({ model, el }, {
    ask: "How does noise become a density?",
    style: LOOK,
    controls: [
      {
        top: true,
        build: ({ id }) => shapes.build({ id, put: (_, name) => fig.put("heights", [...SHAPES[name]]) }),
        show: (set, t) => shapes.show(set, { shape: kind(t.heights) }),
      },
      pick("noise", "noise", { normal: "normal", uniform: "uniform on (−2, 2)" }),
      slide("x", (t) => `x = ${fixed(t.x, 2)}`, { min: -REACH, max: REACH, step: 0.01 }),
    ],
    panels: [`<svg viewBox="0 0 ${W} ${H}" role="application" tabindex="0" class="gl-move"></svg>`, `<svg viewBox="0 0 ${W} ${FLOOR + 38}" role="img" class="gl-level"></svg>`],
    after: measures("at this x", ["density", `${mark('<path d="M0 7H12" class="signed"/>')}signed<small>no absolute value</small>`]),
    also: ["heights", "point", "seed"],
    draw: redraw,
  });

  const inside = (v, digits) => Number(Math.min(REACH, Math.max(-REACH, v)).toFixed(digits));
  const lift = (i, v) => fig.put("heights", model.get("heights").map((y, j) => (j === i ? inside(v, 1) : y)));
  const height = (y) => ((FLOOR - y) / SIDE) * 2 * REACH - REACH;
  let held = -1; // the control point under the pointer, or none: then it moves x
  drag(fig.panels[0], (a, b, first) => {
    if (first) {
      held = model.get("heights").findIndex((y, i) => Math.hypot(X(i - 2) - a, Y(y) - b) < 16);
      if (held >= 0) fig.put("point", held);
    }
    if (held >= 0) lift(held, height(b)); else fig.put("x", inside(height(b), 2));
  });
  drag(fig.panels[1], (_, b) => fig.put("x", inside(height(b), 2)));
  arrows(fig.panels[0], (dx, dy) => {
    const i = model.get("point");
    if (dx) fig.put("point", Math.min(4, Math.max(0, i + dx)));
    else lift(i, model.get("heights")[i] + 0.1 * dy);
  });
  return fig.close;
}

export default { render };
