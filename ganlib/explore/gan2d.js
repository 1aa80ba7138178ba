// What does a GAN in the plane do, round by round?  (the playground)
//
// Both players are small networks with tanh. Their gradients are written out here, and so are the second
// derivatives that a penalty on the slope of D needs. The data is a mixture of round Gaussians, so its density
// is known; the generator's is measured.

// ---------------------------------------------------------------- numerics

/** Linear layers with tanh between them. `forward` may carry a direction along, and `backward` goes through both. */
export class Net {
  constructor(sizes, u) {
    this.layers = sizes.slice(1).map((O, l) => {
      const I = sizes[l], W = Float64Array.from({ length: I * O }, () => normal(u) / Math.sqrt(I));
      return { I, O, W, b: new Float64Array(O) };
    });
    this.params = this.layers.flatMap(({ W, b }) => [W, b]);
    [this.grads, this.m, this.v] = [0, 0, 0].map(() => this.params.map((p) => new Float64Array(p.length)));
    this.t = 0;
  }
  forward(x, B, dx) {
    this.h = [x];
    this.d = [dx];
    this.layers.forEach(({ I, O, W, b }, l) => {
      const last = l === this.layers.length - 1, x = this.h[l], dx = this.d[l];
      const h = new Float64Array(B * O), d = dx && new Float64Array(B * O);
      for (let n = 0; n < B; n++) for (let o = 0; o < O; o++) {
        let s = b[o], r = 0;
        for (let i = 0, w = o * I, k = n * I; i < I; i++) { s += W[w + i] * x[k + i]; if (dx) r += W[w + i] * dx[k + i]; }
        if (!last) { s = Math.tanh(s); r *= 1 - s * s; }
        h[n * O + o] = s;
        if (d) d[n * O + o] = r;
      }
      this.h.push(h);
      this.d.push(d);
    });
    return this.h.at(-1);
  }
  /** From the gradients of a number in the outputs, and in their derivatives along dx, to that in x; adds to `grads`. */
  backward(g, along, keep = true) {
    for (let l = this.layers.length - 1; l >= 0; l--) {
      const { I, O, W } = this.layers[l], x = this.h[l], dx = this.d[l], B = x.length / I;
      const [gW, gb] = this.grads.slice(2 * l, 2 * l + 2), last = l === this.layers.length - 1;
      const gx = new Float64Array(B * I), ax = along && new Float64Array(B * I);
      for (let n = 0; n < B; n++) for (let o = 0; o < O; o++) {
        let e = g[n * O + o], f = along ? along[n * O + o] : 0;
        if (!last) {
          const h = this.h[l + 1][n * O + o], s = 1 - h * h;
          e = e * s - (along ? 2 * h * this.d[l + 1][n * O + o] * f : 0);
          f *= s;
        }
        if (keep) gb[o] += e;
        for (let i = 0, w = o * I, k = n * I; i < I; i++) {
          if (keep) gW[w + i] += e * x[k + i] + (along ? f * dx[k + i] : 0);
          gx[k + i] += e * W[w + i];
          if (along) ax[k + i] += f * W[w + i];
        }
      }
      [g, along] = [gx, ax];
    }
    return g;
  }
  zero() { for (const g of this.grads) g.fill(0); }
  adam(lr, [b1, b2] = [0.5, 0.99]) {
    const c1 = 1 - b1 ** ++this.t, c2 = 1 - b2 ** this.t;
    this.params.forEach((p, k) => {
      const g = this.grads[k], m = this.m[k], v = this.v[k];
      for (let i = 0; i < p.length; i++) {
        m[i] = b1 * m[i] + (1 - b1) * g[i];
        v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
        p[i] -= (lr * m[i]) / c1 / (Math.sqrt(v[i] / c2) + 1e-8);
      }
    });
  }
}

const crossEntropy = (r, f) => [-sigmoid(-r), sigmoid(f)];
/** The slopes of each loss: of D's in both logits, of G's in the generated one. */
export const LOSSES = {
  saturating: { d: crossEntropy, g: (r, f) => -sigmoid(f) },
  "non-saturating": { d: crossEntropy, g: (r, f) => -sigmoid(-f) },
  "least squares": { d: (r, f) => [r - 1, f], g: (r, f) => f - 1 },
  hinge: { d: (r, f) => [r < 1 ? -1 : 0, f > -1 ? 1 : 0], g: () => -1 },
  Wasserstein: { d: () => [-1, 1], g: () => -1 },
  relativistic: { d: (r, f) => [-sigmoid(f - r), sigmoid(f - r)], g: (r, f) => -sigmoid(r - f) },
};
const NEAR = 0.25; // DRAGAN's noise
const toOne = (n, excess) => (2 * excess) / n;
/** Where each penalty looks, and the slope of its value in the slope s of D, as a multiple of s; n is its length. */
export const PENALTIES = {
  none: null,
  R1: { half: true, at: (x) => x, by: () => 2 },
  R2: { half: true, at: (x, fake) => fake, by: () => 2 },
  "gradient penalty": { at: onTheWay, by: (n) => toOne(n, n - 1) },
  "one-sided": { at: onTheWay, by: (n) => toOne(n, Math.max(0, n - 1)) },
  DRAGAN: { at: (x, fake, u) => x.map((v) => v + NEAR * normal(u)), by: (n) => toOne(n, n - 1) },
};
function onTheWay(x, fake, u) {
  const out = new Float64Array(x.length);
  for (let i = 0; i < x.length; i += 2) {
    const t = u();
    for (const k of [i, i + 1]) out[k] = x[k] + t * (fake[k] - x[k]);
  }
  return out;
}

const arc = (k, f) => Array.from({ length: k }, (_, i) => f(i / (k - 1)));
/** The centres and the standard deviation of each data set. */
export const DATA = {
  ring: () => [Array.from({ length: 8 }, (_, k) => [2 * Math.cos((k * Math.PI) / 4), 2 * Math.sin((k * Math.PI) / 4)]), 0.1],
  grid: () => [Array.from({ length: 25 }, (_, k) => [Math.floor(k / 5) - 2, (k % 5) - 2]), 0.07],
  "two moons": () => [[...arc(24, (t) => [1.4 * Math.cos(Math.PI * t) - 0.7, 1.4 * Math.sin(Math.PI * t) - 0.35]),
    ...arc(24, (t) => [0.7 - 1.4 * Math.cos(Math.PI * t), 0.35 - 1.4 * Math.sin(Math.PI * t)])], 0.1],
  spiral: () => [arc(48, (t) => { const r = 0.3 + 1.8 * t, a = 9 * t; return [r * Math.cos(a), r * Math.sin(a)]; }), 0.09],
  "one cloud": () => [[[0.6, 0.4]], 0.5],
  drawn: (points) => [points.length ? points : [[0, 0]], 0.12],
};
const APART = new Set(["ring", "grid", "drawn", "one cloud"]); // whose centres are modes

const HIDDEN = 32, BATCH = 64;

/** A game: `round(settings)` plays one, every random number from the seed. */
export class Game {
  constructor({ data, points, seed }) {
    this.u = uniforms(seed);
    [this.centres, this.std] = DATA[data](points);
    this.G = new Net([2, HIDDEN, HIDDEN, 2], this.u);
    this.D = new Net([2, HIDDEN, HIDDEN, 1], this.u);
    this.rounds = 0;
    this.modes = APART.has(data);
  }
  real(n, u = this.u) {
    const x = new Float64Array(2 * n);
    for (let i = 0; i < n; i++) {
      const [a, b] = this.centres[Math.floor(u() * this.centres.length)];
      x[2 * i] = a + this.std * normal(u);
      x[2 * i + 1] = b + this.std * normal(u);
    }
    return x;
  }
  noise(n, u = this.u) { return Float64Array.from({ length: 2 * n }, () => normal(u)); }
  /** Logits of real and generated points in one pass of D. */
  both(x, fake) {
    const joined = new Float64Array(2 * x.length);
    joined.set(x);
    joined.set(fake, x.length);
    return this.D.forward(joined, joined.length / 2);
  }
  round({ loss, penalty, gamma, rate_G, rate_D, n_critic }) {
    const { d, g } = LOSSES[loss], { D, G } = this, B = BATCH, pull = new Float64Array(2 * B);
    for (let k = 0; k < n_critic; k++) {
      const x = this.real(B), fake = G.forward(this.noise(B), B);
      D.zero();
      const a = this.both(x, fake);
      for (let i = 0; i < B; i++) {
        const [r, f] = d(a[i], a[B + i]);
        pull[i] = r / B;
        pull[B + i] = f / B;
      }
      D.backward(pull);
      if (PENALTIES[penalty]) this.penalise(PENALTIES[penalty], gamma, x, fake);
      D.adam(rate_D);
    }
    const x = this.real(B), fake = G.forward(this.noise(B), B), a = this.both(x, fake);
    for (let i = 0; i < B; i++) [pull[i], pull[B + i]] = [0, g(a[i], a[B + i]) / B];
    G.zero();
    G.backward(D.backward(pull, null, false).subarray(2 * B));
    G.adam(rate_G);
    this.rounds++;
  }
  /** Adds the gradient of the penalty: that of (slope . v) in the weights, where v is the penalty's slope in the slope. */
  penalise({ at, by, half }, gamma, x, fake) {
    const B = BATCH, points = at(x, fake, this.u), one = new Float64Array(B).fill(1), weight = (half ? gamma / 2 : gamma) / B;
    this.D.forward(points, B);
    const v = this.D.backward(one, null, false);
    for (let i = 0; i < 2 * B; i += 2) {
      const scale = weight * by(Math.hypot(v[i], v[i + 1]) || 1e-300);
      v[i] *= scale;
      v[i + 1] *= scale;
    }
    this.D.forward(points, B, v);
    this.D.backward(new Float64Array(B), one);
  }
}

// Both laws are blurred by BLUR before they are compared on a lattice: D then has a best answer everywhere.
const EDGE = 3.2, CELLS = 64, CELL = (2 * EDGE) / CELLS, BLUR = 0.16;
const centre = (i) => -EDGE + (i + 0.5) * CELL;
export const LATTICE = Float64Array.from({ length: 2 * CELLS * CELLS }, (_, k) => {
  const cell = k >> 1;
  return centre(k & 1 ? Math.floor(cell / CELLS) : cell % CELLS);
});

/** The mass of the blurred data in each cell: exact. */
export function dataMass({ centres, std }) {
  const s = Math.hypot(std, BLUR), p = new Float64Array(CELLS * CELLS);
  for (const [a, b] of centres) {
    const gx = Float64Array.from({ length: CELLS }, (_, i) => Math.exp(-(((centre(i) - a) / s) ** 2) / 2));
    const gy = Float64Array.from({ length: CELLS }, (_, i) => Math.exp(-(((centre(i) - b) / s) ** 2) / 2));
    for (let j = 0; j < CELLS; j++) for (let i = 0; i < CELLS; i++) p[j * CELLS + i] += gx[i] * gy[j];
  }
  const scale = CELL ** 2 / (2 * Math.PI * s * s * centres.length);
  return p.map((v) => v * scale);
}

/** The mass of blurred points in each cell: dealt to the four nearest centres, then blurred along both axes. */
export function pointMass(x) {
  const n = x.length / 2, q = new Float64Array(CELLS * CELLS);
  for (let k = 0; k < n; k++) {
    const u = (x[2 * k] + EDGE) / CELL - 0.5, v = (x[2 * k + 1] + EDGE) / CELL - 0.5, i = Math.floor(u), j = Math.floor(v);
    for (const [a, b] of [[0, 0], [1, 0], [0, 1], [1, 1]]) {
      const w = (a ? u - i : 1 - u + i) * (b ? v - j : 1 - v + j);
      if (i + a >= 0 && i + a < CELLS && j + b >= 0 && j + b < CELLS) q[(j + b) * CELLS + i + a] += w / n;
    }
  }
  const width = Math.sqrt(BLUR ** 2 - CELL ** 2 / 6) / CELL, R = Math.ceil(4 * width); // dealing has blurred a little
  const kernel = Array.from({ length: 2 * R + 1 }, (_, k) => Math.exp(-(((k - R) / width) ** 2) / 2));
  const total = kernel.reduce((a, b) => a + b);
  const along = (from, step, turn) => {
    const to = new Float64Array(CELLS * CELLS);
    for (let j = 0; j < CELLS; j++) for (let i = 0; i < CELLS; i++) {
      const v = from[j * turn + i * step];
      if (v) for (let k = Math.max(0, i - R); k <= Math.min(CELLS - 1, i + R); k++) to[j * turn + k * step] += (v * kernel[k - i + R]) / total;
    }
    return to;
  };
  return along(along(q, 1, CELLS), CELLS, 1);
}

const LOG2 = Math.log(2);
/**
 * JSD of two lists of masses, and twice the mean divergence of the coins p/(p+q) from those of the logits. Mass of
 * q that lies beyond the lattice is alone there; `far` is the mean loss of D on it.
 */
export function compare(p, q, logits, far = 0) {
  const lost = Math.max(0, 1 - q.reduce((a, b) => a + b));
  let jsd = (lost * LOG2) / 2, gap = lost * far;
  for (let i = 0; i < p.length; i++) {
    const s = p[i] + q[i];
    if (!(s > 0)) continue;
    const right = p[i] / s, entropy = -(right && right * Math.log(right)) - (right < 1 ? (1 - right) * Math.log(1 - right) : 0);
    jsd += (s * (LOG2 - entropy)) / 2;
    if (logits) gap += s * (right * softplus(-logits[i]) + (1 - right) * softplus(logits[i]) - entropy);
  }
  return { jsd, gap };
}

/** What can be said of a game: from points of its own stream, which the game never sees. */
export function look(game, n = 3000) {
  const u = uniforms(20141), fake = game.G.forward(game.noise(n, u), n), real = game.real(n, u);
  const p = (game.p ??= dataMass(game)), q = pointMass(fake), logits = game.D.forward(LATTICE, CELLS * CELLS);
  const blurred = (x) => game.D.forward(x.map((v) => v + BLUR * normal(u)), n);
  const mean = (a, f) => a.reduce((s, v) => s + f(v), 0) / n;
  const loss = mean(blurred(real), (a) => softplus(-a)) + mean(blurred(fake), softplus);
  const gone = fake.filter((_, i) => Math.max(Math.abs(fake[i & ~1]), Math.abs(fake[i | 1])) > EDGE);
  const far = gone.length && game.D.forward(gone, gone.length / 2).reduce((s, a) => s + softplus(a), 0) / (gone.length / 2);
  const { jsd, gap } = compare(p, q, logits, far), near = new Set();
  let good = 0;
  for (let k = 0; k < n; k++) {
    let best = Infinity, mode = 0;
    game.centres.forEach(([a, b], c) => {
      const d = Math.hypot(fake[2 * k] - a, fake[2 * k + 1] - b);
      if (d < best) [best, mode] = [d, c];
    });
    if (best <= 3 * game.std) { good++; near.add(mode); }
  }
  return { loss, derived: 2 * LOG2 - 2 * jsd + gap, jsd, bound: LOG2 - loss / 2, modes: near.size, quality: good / n, p, q, logits };
}

/** The sentence below the picture. */
export function say(game, s, seen) {
  const after = `After ${whole(game.rounds)} round${game.rounds === 1 ? "" : "s"} with the ${s.loss} loss`;
  const fence = s.penalty === "none" ? "no penalty" : `the penalty ${s.penalty} at ${s.gamma}`;
  const modes = game.modes ? ` The generator covers ${seen.modes} of ${game.centres.length} mode${game.centres.length > 1 ? "s" : ""};` : "";
  const share = `${Math.round(100 * seen.quality)}% of its points lie on the data.`;
  return `${after} and ${fence}: the Jensen-Shannon divergence is ${fixed(seen.jsd, 3)} of at most 0.693.${modes} ${share}`;
}

// ---------------------------------------------------------------- drawing

const SIZE = 640, VIEW = 2.8, px = (v) => ((v + VIEW) / (2 * VIEW)) * SIZE, py = (v) => SIZE - px(v);
const REAL = [0, 114, 178], FAKE = [213, 94, 0]; // in a picture; strokes take the page's colours
const SHEET = 44;
const sheet = Float64Array.from({ length: 2 * SHEET * SHEET }, (_, k) => {
  const cell = k >> 1, at = (i) => -VIEW + ((i + 0.5) * 2 * VIEW) / SHEET;
  return k & 1 ? -at(Math.floor(cell / SHEET)) : at(cell % SHEET);
});
const GRID = arc(13, (t) => -2.4 + 4.8 * t), FINE = arc(25, (t) => -2.4 + 4.8 * t);
const WIRES = Float64Array.from([...GRID.flatMap((a) => FINE.flatMap((b) => [a, b])), ...GRID.flatMap((a) => FINE.flatMap((b) => [b, a]))]);

function heat(context, game, s, small) {
  const a = game.D.forward(sheet, SHEET * SHEET), picture = new ImageData(SHEET, SHEET);
  for (let i = 0; i < a.length; i++) {
    const v = 2 * (s.loss === "least squares" ? Math.min(1, Math.max(0, a[i])) : sigmoid(a[i])) - 1;
    picture.data.set([...(v > 0 ? REAL : FAKE), Math.round(105 * Math.abs(v))], 4 * i);
  }
  small.getContext("2d").putImageData(picture, 0, 0);
  context.drawImage(small, 0, 0, SIZE, SIZE);
}

/** Where the blurred laws are equal: there D* is 1/2. Segments, cell by cell. */
function even(context, { p, q }) {
  context.beginPath();
  const f = (k) => p[k] - q[k], high = (k) => p[k] + q[k] > 2e-5;
  for (let j = 0; j + 1 < CELLS; j++) for (let i = 0; i + 1 < CELLS; i++) {
    const k = j * CELLS + i, corner = [[k, i, j], [k + 1, i + 1, j], [k + CELLS + 1, i + 1, j + 1], [k + CELLS, i, j + 1]], cut = [];
    if (!high(k)) continue;
    corner.forEach(([a, x, y], c) => {
      const [b, u, v] = corner[(c + 1) % 4], t = f(a) / (f(a) - f(b));
      if (f(a) > 0 !== f(b) > 0) cut.push([px(centre(between(x, u, t))), py(centre(between(y, v, t)))]);
    });
    for (let c = 0; c + 1 < cut.length; c += 2) { context.moveTo(...cut[c]); context.lineTo(...cut[c + 1]); }
  }
  context.stroke();
}

function plane(canvas, small, game, s, seen, colour, probe) {
  const c = canvas.getContext("2d"), u = uniforms(7), n = 300;
  c.clearRect(0, 0, SIZE, SIZE);
  heat(c, game, s, small);
  const real = game.real(n, u), z = game.noise(n, u);
  const dots = (x, ink, r) => {
    c.fillStyle = ink;
    c.beginPath();
    for (let i = 0; i < x.length; i += 2) { c.moveTo(px(x[i]) + r, py(x[i + 1])); c.arc(px(x[i]), py(x[i + 1]), r, 0, 7); }
    c.fill();
  };
  if (s.overlay === "manifold" || s.overlay === "both") {
    const w = game.G.forward(WIRES, WIRES.length / 2);
    c.strokeStyle = colour("--fake");
    c.globalAlpha = 0.45;
    c.lineWidth = 1;
    c.beginPath();
    for (let k = 0; k < w.length; k += 2) (k / 2) % FINE.length ? c.lineTo(px(w[k]), py(w[k + 1])) : c.moveTo(px(w[k]), py(w[k + 1]));
    c.stroke();
    c.globalAlpha = 1;
  }
  dots(real, colour("--real"), 3);
  const fake = game.G.forward(z, n);
  dots(fake, colour("--fake"), 3.4);
  if (s.overlay === "gradients" || s.overlay === "both") {
    const x = fake.slice(0, 80), k = 40, a = game.both(real.slice(0, 80), x), pull = new Float64Array(2 * k);
    for (let i = 0; i < k; i++) pull[k + i] = -LOSSES[s.loss].g(a[i], a[k + i]);
    const g = game.D.backward(pull, null, false).subarray(2 * k);
    c.strokeStyle = colour("currentColor");
    c.lineWidth = 1.6;
    c.beginPath();
    for (let i = 0; i < 2 * k; i += 2) {
      const m = Math.hypot(g[i], g[i + 1]), scale = (0.5 * Math.tanh(m)) / (m || 1), u = scale * g[i], v = scale * g[i + 1];
      const tip = [x[i] + u, x[i + 1] + v];
      c.moveTo(px(x[i]), py(x[i + 1]));
      c.lineTo(px(tip[0]), py(tip[1]));
      for (const side of [0.25, -0.25]) { c.moveTo(px(tip[0]), py(tip[1])); c.lineTo(px(tip[0] - 0.25 * u - side * v), py(tip[1] - 0.25 * v + side * u)); }
    }
    c.stroke();
  }
  c.strokeStyle = colour("currentColor");
  c.lineWidth = 2;
  c.setLineDash([7, 6]);
  even(c, seen);
  c.setLineDash([]);
  c.beginPath();
  c.moveTo(px(probe[0]) - 9, py(probe[1]));
  c.lineTo(px(probe[0]) + 9, py(probe[1]));
  c.moveTo(px(probe[0]), py(probe[1]) - 9);
  c.lineTo(px(probe[0]), py(probe[1]) + 9);
  c.stroke();
}

const W = 320, H = 320, L = 34, T = 24, R = 12, B = 34, TOP = 2.2;
function curves(past) {
  const last = Math.max(100, past.at(-1)?.rounds ?? 0), X = (r) => between(L, W - R, r / last), Y = (v) => between(H - B, T, Math.min(TOP, Math.max(0, v)) / TOP);
  const trace = (key, cls, scale = 1) => `<path d="${path(past.map((e) => [X(e.rounds), Y(scale * e[key])]))}" class="${cls}"/>`;
  const level = [0, 0.5, 1, 1.5, 2].map((v) => line(L, Y(v), W - R, Y(v), "grid") + word(L - 6, Y(v) + 4, fixed(v, 1), 'text-anchor="end"')).join("");
  return level + line(L, Y(2 * LOG2), W - R, Y(2 * LOG2), "derived") + word(W - R, Y(2 * LOG2) - 6, "log 4", 'text-anchor="end"') +
    word(X(0), H - 14, "0", 'text-anchor="middle"') + word(X(last), H - 14, whole(last), 'text-anchor="end"') + word(X(last / 2), H - 14, "rounds", 'text-anchor="middle"') +
    trace("loss", "critic") + trace("jsd", "gap", 2) + word(L, T - 9, `<tspan class="green">loss of D</tspan> and <tspan class="red">2 JSD</tspan>`);
}

const LOOK = `
.gl-fig .gap{stroke:var(--fake);stroke-width:2}.gl-fig .green{fill:var(--critic)}.gl-fig .red{fill:var(--fake)}
.gl-fig canvas{border:1px solid color-mix(in srgb,currentColor 30%,transparent);border-radius:4px;aspect-ratio:1}`;
const KEYS = ["loss", "penalty", "gamma", "rate_G", "rate_D", "n_critic", "overlay"];
const names = (table) => Object.fromEntries(Object.keys(table).map((name) => [name, name]));
const RATES = [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2];
const SPEEDS = { slow: "slow motion", normal: "a round a frame", fast: "eight rounds a frame" };

/** Settings in the address: read those that are known and in range. */
export function address(text, model) {
  const read = new URLSearchParams(text.replace(/^#/, "")), numbers = { gamma: [0, 20], n_critic: [1, 5], seed: [0, 999] };
  const known = { data: DATA, loss: LOSSES, penalty: PENALTIES };
  for (const [key, table] of Object.entries(known)) if (Object.hasOwn(table, read.get(key) ?? "")) model.set(key, read.get(key));
  for (const [key, [low, high]] of Object.entries(numbers)) {
    const v = Number(read.get(key) ?? NaN);
    if (v >= low && v <= high) model.set(key, key === "gamma" ? v : Math.round(v));
  }
  for (const key of ["rate_G", "rate_D"]) if (RATES.includes(Number(read.get(key)))) model.set(key, Number(read.get(key)));
}

function render({ model, el }) {
  if (model.get("address")) address(location.hash, model);
  let game = null, made = "", seen = null, past = [], probe = [0, 0], player, tick = 0;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches, small = document.createElement("canvas");
  small.width = small.height = SHEET;
  const settings = (t) => Object.fromEntries(KEYS.map((key) => [key, t[key]]));

  function draw(fig, t) {
    const { panels: [canvas, right], say: sentence, note, cells, root } = fig, s = settings(t);
    const start = JSON.stringify([t.data, t.seed, t.data === "drawn" && t.points]);
    if (start !== made || t.rounds < game.rounds) {
      const again = !made || start === made ? t.rounds : 0; // another game begins at its beginning
      made = start;
      game = new Game({ data: t.data, points: t.points, seed: t.seed });
      [past, seen] = [[], null];
      if (t.rounds !== again) { fig.put("rounds", again); return; }
    }
    while (game.rounds < t.rounds) game.round(s);
    if (!player?.running || tick % 12 === 0 || !seen) {
      seen = look(game);
      if (past.at(-1)?.rounds === game.rounds) past.pop();
      past.push({ rounds: game.rounds, loss: seen.loss, jsd: seen.jsd });
      if (past.length > 400) past = past.filter((_, i) => i % 2 === 0 || i === past.length - 1);
      right.innerHTML = curves(past);
      right.setAttribute("aria-label", `Over ${whole(game.rounds)} rounds: D's loss is now ${fixed(seen.loss, 3)}, and twice the JSD ${fixed(2 * seen.jsd, 3)}.`);
      const entropic = /saturating/.test(s.loss);
      const rows = [[fixed(seen.loss, 3), fixed(seen.derived, 3)], [`≥ ${fixed(Math.max(0, seen.bound), 3)}`, fixed(seen.jsd, 3)],
        [`${game.modes ? `${seen.modes} modes, ` : ""}${fixed(seen.quality, 3)}`, `${game.modes ? `${game.centres.length} modes, ` : ""}${game.centres.length > 30 ? "about 1" : "0.989"}`]];
      rows.flat().forEach((text, i) => { cells[i].textContent = text; });
      sentence.textContent = say(game, s, seen);
      note.textContent = `${entropic ? "" : "This loss does not make D's output a log-ratio, so the first two rows do not measure what it plays for. "}Both laws are blurred by ${BLUR} for the first two rows. Derived, as in chapter 10: log 4 − 2 JSD + 2 E KL(D* ‖ D) on a lattice; the JSD itself; real points. Dashed: D* = 1/2.`;
      Object.assign(root.dataset, { loss: seen.loss, derived: seen.derived, jsd: seen.jsd, rounds: game.rounds });
    }
    const style = getComputedStyle(root), colour = (name) => (name === "currentColor" ? style.color : style.getPropertyValue(name));
    plane(canvas, small, game, s, seen, colour, probe);
    const says = game.D.forward(Float64Array.from(probe), 1)[0];
    canvas.setAttribute("aria-label", `Plane of the game, with ${{ both: "manifold and gradients", neither: "points alone" }[s.overlay] ?? s.overlay}. At (${fixed(probe[0], 1)}, ${fixed(probe[1], 1)}) the logit of D is ${fixed(says, 2)}. Arrow keys move this probe${t.data === "drawn" ? "; Enter adds a point of data there, Backspace takes the last one away" : ""}.`);
    if (t.address) {
      const kept = ["data", "loss", "penalty", "gamma", "rate_G", "rate_D", "n_critic", "seed"].map((key) => [key, t[key]]);
      history.replaceState(null, "", `#${new URLSearchParams(kept)}`);
    }
  }

  const on = (count) => (fig) => fig.put("rounds", model.get("rounds") + count);
  const button = (label, act) => ({ ...press(label, act), when: null });
  const rate = (key, name) => slide(key, (t) => `${name} ${t[key]}`, RATES);
  const fig = figure({ model, el }, {
    ask: "A GAN in the plane, training here and now",
    style: LOOK,
    controls: [
      pick("data", "data", names(DATA)),
      pick("loss", "loss", names(LOSSES)),
      pick("penalty", "penalty", names(PENALTIES)),
      pick("speed", "speed", SPEEDS, () => !calm),
      pick("overlay", "draw", names({ manifold: 0, gradients: 0, both: 0, neither: 0 })),
      slide("gamma", (t) => `weight of the penalty ${t.gamma}`, { min: 0, max: 20, step: 0.1 }, (t) => t.penalty !== "none"),
      rate("rate_G", "rate of G"),
      rate("rate_D", "rate of D"),
      slide("n_critic", (t) => `moves of D a round: ${t.n_critic}`, { min: 1, max: 5, step: 1 }),
      slide("seed", (t) => `seed ${t.seed}`, { min: 0, max: 99, step: 1 }),
      press((t) => (player?.running ? "stop" : t.speed === "normal" ? "play" : `play, ${SPEEDS[t.speed]}`), () => player.toggle()),
      button(() => "one round", on(1)),
      button(() => "50 rounds", on(50)),
      button(() => "start again", (fig) => { player.stop(); fig.put("rounds", 0); }),
    ],
    panels: [`<canvas width="${SIZE}" height="${SIZE}" role="application" tabindex="0" class="gl-move"></canvas>`, `<svg viewBox="0 0 ${W} ${H}" role="img"></svg>`],
    after: measures("now", ["loss of D, fresh points", "JSD", "generated points on the data"]),
    also: ["rounds", "points", "address"],
    draw,
  });

  player = loop(fig, () => {
    tick++;
    const speed = model.get("speed"), count = speed === "fast" ? 8 : speed === "slow" ? Number(tick % 12 === 0) : 1;
    if (model.get("rounds") >= 20000) return false;
    if (count) on(count)(fig);
  });
  fig.repaint = () => fig.draw();
  fig.own(() => player.stop());

  const canvas = fig.panels[0], limit = (v) => Math.round(10 * Math.min(2.6, Math.max(-2.6, v))) / 10;
  const move = (x, y) => { probe = [limit(x), limit(y)]; fig.draw(); };
  const add = () => { if (model.get("data") === "drawn" && model.get("points").length < 60) fig.put("points", [...model.get("points"), probe]); };
  canvas.addEventListener("pointerdown", (e) => {
    const r = canvas.getBoundingClientRect();
    move(((e.clientX - r.left) / r.width) * 2 * VIEW - VIEW, VIEW - ((e.clientY - r.top) / r.height) * 2 * VIEW);
    add();
  });
  arrows(canvas, (dx, dy) => move(probe[0] + 0.1 * dx, probe[1] + 0.1 * dy));
  canvas.addEventListener("keydown", (e) => {
    if (model.get("data") !== "drawn" || !["Enter", "Backspace"].includes(e.key)) return;
    e.preventDefault();
    if (e.key === "Enter") add();
    else fig.put("points", model.get("points").slice(0, -1));
  });
  return fig.close;
}

export default { render };
