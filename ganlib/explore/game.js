// Why does the game of two point masses go round, and what stops it?  (chapter 8)
//
// The data is the point 0, the generator the point theta, the discriminator's logit psi x (for least squares
// 1/2 + psi x). With t = theta psi the velocities are
//
//     theta' = psi g(t),        psi' = -theta d(t) - gamma psi.

// ---------------------------------------------------------------- numerics

const slope = (t) => sigmoid(t) * sigmoid(-t);

/** The forces d and g of each loss and their slopes. */
export const LOSSES = {
  saturating: { d: sigmoid, g: sigmoid, d1: slope, g1: slope },
  "non-saturating": { d: sigmoid, g: (t) => sigmoid(-t), d1: slope, g1: (t) => -slope(t) },
  "least squares": { d: (t) => 0.5 + t, g: (t) => 0.5 - t, d1: () => 1, g1: () => -1 },
  Wasserstein: { d: () => 1, g: () => 1, d1: () => 0, g1: () => 0 },
};

/** The field at a point [theta, psi]. */
export function velocity({ loss, gamma }, [theta, psi]) {
  const { d, g } = LOSSES[loss], t = theta * psi;
  return [psi * g(t), -theta * d(t) - gamma * psi];
}

/** Its Jacobian, [[a, b], [c, d]]. */
export function jacobian({ loss, gamma }, [theta, psi]) {
  const { d, g, d1, g1 } = LOSSES[loss], t = theta * psi;
  return [[psi * psi * g1(t), g(t) + t * g1(t)], [-d(t) - t * d1(t), -theta * theta * d1(t) - gamma]];
}

const ahead = ([x, y], [u, v], h) => [x + h * u, y + h * v];

/** One step from z; `old` is the point before z. */
export const METHODS = {
  simultaneous: (s, z) => ahead(z, velocity(s, z), s.eta),
  alternating(s, z) { // the discriminator moves first, as in training
    const half = [z[0], z[1] + s.eta * velocity(s, z)[1]];
    return [z[0] + s.eta * velocity(s, half)[0], half[1]];
  },
  implicit(s, z) { // Newton's method for w = z + eta v(w)
    let w = z;
    for (let i = 0; i < 20; i++) {
      const v = velocity(s, w), [[a, b], [c, d]] = jacobian(s, w).map((r) => r.map((e) => -s.eta * e));
      const r = [w[0] - z[0] - s.eta * v[0], w[1] - z[1] - s.eta * v[1]], det = (1 + a) * (1 + d) - b * c;
      const move = [((1 + d) * r[0] - b * r[1]) / det, ((1 + a) * r[1] - c * r[0]) / det];
      w = [w[0] - move[0], w[1] - move[1]];
      if (Math.hypot(...move) <= 1e-15 * Math.hypot(...w)) break;
    }
    return w;
  },
  extragradient: (s, z) => ahead(z, velocity(s, ahead(z, velocity(s, z), s.eta)), s.eta),
  optimistic(s, z, old) {
    const v = velocity(s, z), u = velocity(s, old);
    return ahead(z, [2 * v[0] - u[0], 2 * v[1] - u[1]], s.eta);
  },
  consensus(s, z) { // both players also descend half the squared length of the field
    const v = velocity(s, z), [[a, b], [c, d]] = jacobian(s, z);
    return ahead(z, [v[0] - a * v[0] - c * v[1], v[1] - b * v[0] - d * v[1]], s.eta);
  },
};

/** The points of a game from its start, at most `s.steps` steps, fewer if it runs away. */
export function points(s) {
  const out = [[s.theta0, s.psi0]];
  for (let k = 0; k < s.steps && Math.hypot(...out[k]) < 1e3; k++) out.push(METHODS[s.method](s, out[k], out[Math.max(0, k - 1)]));
  return out;
}

const times = ([a, b], [c, d]) => [a * c - b * d, a * d + b * c];
function root([a, b]) { // the square root with real part >= 0
  const m = Math.hypot(a, b), x = Math.sqrt(Math.max(0, (m + a) / 2));
  return [x, (b < 0 ? -1 : 1) * Math.sqrt(Math.max(0, (m - a) / 2))];
}
/** Both complex roots of  z^2 - p z + q. */
function roots(p, q) {
  const [a, b] = times(p, p), r = root([a - 4 * q[0], b - 4 * q[1]]);
  return [[(p[0] + r[0]) / 2, (p[1] + r[1]) / 2], [(p[0] - r[0]) / 2, (p[1] - r[1]) / 2]];
}
const spectrum = ([[a, b], [c, d]]) => roots([a + d, 0], [a * d - b * c, 0]);

/** The eigenvalues [re, im] of one step, linearised at the equilibrium. */
export function eigenvalues(s) {
  const J = jacobian(s, [0, 0]), h = s.eta, c = J[0][1];
  if (s.method === "alternating") return spectrum([[1 - h * h * c * c, h * c * (1 - h * s.gamma)], [-h * c, 1 - h * s.gamma]]);
  if (s.method === "consensus") return spectrum([[1 - h * c * c, h * c * (1 - s.gamma)], [-h * c * (1 + s.gamma), 1 - h * (s.gamma + c * c + s.gamma * s.gamma)]]);
  return spectrum(J).flatMap((j) => {
    const e = [h * j[0], h * j[1]], one = [1 + e[0], e[1]];
    if (s.method === "implicit") { const m = (1 - e[0]) ** 2 + e[1] ** 2; return [[(1 - e[0]) / m, e[1] / m]]; }
    if (s.method === "extragradient") { const w = times(e, one); return [[1 + w[0], w[1]]]; }
    if (s.method === "optimistic") return roots([1 + 2 * e[0], 2 * e[1]], e);
    return [one];
  });
}

/** The factor and the turn of a step in the long run: the largest modulus of an eigenvalue, and its angle. */
export function derived(s) {
  const [x, y] = eigenvalues(s).reduce((p, q) => (Math.hypot(...q) > Math.hypot(...p) + 1e-12 ? q : p));
  return { factor: Math.hypot(x, y), turn: Math.abs(Math.atan2(y, x)) };
}

// Slope of a fit. The weights fade out at both ends, so that the wobble of a turn averages out.
function trend(values) {
  const n = values.length, w = values.map((_, i) => Math.sin((Math.PI * (i + 0.5)) / n) ** 2);
  const sum = (f) => values.reduce((s, v, i) => s + w[i] * f(v, i), 0);
  const middle = sum((_, i) => i) / sum(() => 1);
  return sum((v, i) => (i - middle) * v) / sum((_, i) => (i - middle) ** 2);
}

/** The same, measured: the game played from a millionth of the start, drawn back there after every step. */
export function measured(s, rounds = 900) {
  const near = 1e-6, log = [], angle = [];
  let z = [s.theta0, s.psi0], old = z, far = 0, turned = 0;
  const pull = near / Math.hypot(...z);
  z = old = z.map((v) => v * pull);
  for (let k = 0; k < rounds; k++) {
    const next = METHODS[s.method](s, z, old), scale = near / Math.hypot(...next);
    far -= Math.log(scale);
    turned += Math.abs(Math.atan2(z[0] * next[1] - z[1] * next[0], z[0] * next[0] + z[1] * next[1]));
    [old, z] = [z, next].map((p) => p.map((v) => v * scale));
    if (k >= rounds / 3) { log.push(far); angle.push(turned); }
  }
  return { factor: Math.exp(trend(log)), turn: trend(angle) };
}

const EDGE = 1e-6;
/** The sentence below the picture. */
export function say(s, { factor, turn }) {
  const verdict = factor > 1 + EDGE ? "runs away" : factor < 1 - EDGE ? "arrives" : "keeps its distance";
  const way = turn < EDGE ? "does not turn" : `needs ${show((2 * Math.PI) / turn)} steps for a turn`;
  const first = `${s.method[0].toUpperCase()}${s.method.slice(1)} steps of ${s.eta}, ${s.loss} loss`;
  const second = s.gamma ? `penalty ${s.gamma}` : "no penalty";
  return `${first}, ${second}: close to the equilibrium the pair ${verdict}. Each step multiplies its distance by ${fixed(factor, 4)} in the long run, and it ${way}.`;
}

// ---------------------------------------------------------------- drawing

const SIDE = 290, L = 26, T = 20, W = L + SIDE + 4, H = T + SIDE + 32; // each panel is a square with room for words
const REACH = 2.6, PLANE = 1.7;
const scaleX = (reach) => (x) => between(L, L + SIDE, (x + reach) / (2 * reach));
const scaleY = (reach) => (y) => between(T + SIDE, T, (y + reach) / (2 * reach));

function phasePanel(s, id, shown) {
  const X = scaleX(REACH), Y = scaleY(REACH);
  let arrows = "";
  for (let i = -5; i <= 5; i++) for (let j = -5; j <= 5; j++) {
    const z = [i / 2, j / 2], v = velocity(s, z), m = Math.hypot(...v);
    if (m < 1e-9) continue;
    const [u, w] = v.map((e) => (e / m) * 0.19 * Math.min(1, m)), tip = [z[0] + u, z[1] + w];
    const side = (k) => [X(tip[0] - 0.5 * u - k * 0.3 * w), Y(tip[1] - 0.5 * w + k * 0.3 * u)];
    arrows += `<path d="${path([[X(z[0] - u), Y(z[1] - w)], [X(tip[0]), Y(tip[1])], side(1)])}${path([[X(tip[0]), Y(tip[1])], side(-1)])}" class="arrow"/>`;
  }
  const trail = points(s).slice(0, shown + 1).map(([x, y]) => [X(x), Y(y)]);
  const ticks = [-2, -1, 0, 1, 2].map((v) =>
    word(X(v), T + SIDE + 15, fixed(v, 0), 'text-anchor="middle"') + word(L - 6, Y(v) + 4, fixed(v, 0), 'text-anchor="end"')).join("");
  const box = `<rect x="${L}" y="${T}" width="${SIDE}" height="${SIDE}"`;
  return `<clipPath id="${id}-clip">${box}/></clipPath>${box} class="axis"/>${ticks}` +
    word(L + SIDE / 2, H - 3, "generator θ", 'text-anchor="middle"') + word(L, T - 7, "discriminator ψ") +
    `<g clip-path="url(#${id}-clip)">${arrows}<path d="${path(trail)}" class="trail"/>` +
    trail.map(([x, y], i) => (i ? dot(x, y, 2.2, "full") : "")).join("") + dot(X(0), Y(0), 4, "rest") +
    dot(X(s.theta0), Y(s.psi0), 7, "start") + "</g>";
}

function spectrumPanel(s) {
  const X = scaleX(PLANE), Y = scaleY(PLANE);
  return line(L, Y(0), L + SIDE, Y(0), "grid") + line(X(0), T, X(0), T + SIDE, "grid") +
    dot(X(0), Y(0), X(1) - X(0), "derived") +
    word(X(1) + 5, Y(0) + 15, "1") + word(X(-1) - 5, Y(0) + 15, "−1", 'text-anchor="end"') + word(X(0) + 5, Y(1) - 5, "i") +
    word(L, T - 7, "eigenvalues of one step") +
    eigenvalues(s).map(([x, y]) => {
      const far = Math.max(1, Math.abs(x) / (PLANE * 0.97), Math.abs(y) / (PLANE * 0.97)); // beyond the edge: on it
      return line(X(0), Y(0), X(x / far), Y(y / far), "cursor") + dot(X(x / far), Y(y / far), 5.5, "eigen");
    }).join("");
}

const LOOK = `
.gl-fig .arrow{stroke:currentColor;stroke-opacity:.35}
.gl-fig .trail{stroke:var(--fake);stroke-width:1.3;stroke-opacity:.75;stroke-linejoin:round}
.gl-fig .start{fill:currentColor}.gl-fig .rest{fill:var(--real)}
.gl-fig .eigen{fill:var(--other)}`;
const KEYS = ["loss", "method", "eta", "gamma", "steps", "theta0", "psi0"];
const names = (table) => Object.fromEntries(Object.keys(table).map((name) => [name, name]));

function render({ model, el }) {
  const settings = (t) => Object.fromEntries(KEYS.map((key) => [key, t[key]]));
  let shown = Infinity; // steps drawn: fewer than all while it plays
  let known = "", player; // what is drawn beside a moving picture need not be drawn again

  function draw({ panels: [left, right], say: sentence, note, cells, root, id }, t) {
    const s = settings(t), text = JSON.stringify(s);
    left.innerHTML = phasePanel(s, id, shown);
    if (text === known) return;
    known = text;
    const is = measured(s), be = derived(s);
    right.innerHTML = spectrumPanel(s);
    left.setAttribute("aria-label", `Path of the game from θ = ${fixed(s.theta0, 2)}, ψ = ${fixed(s.psi0, 2)}. Arrow keys move the start.`);
    right.setAttribute("aria-label", `${eigenvalues(s).map(([x, y]) => `${fixed(x, 3)} ${y < 0 ? "−" : "+"} ${fixed(Math.abs(y), 3)} i`).join(", ")} beside the unit circle.`);
    cells[0].textContent = fixed(is.factor, 5);
    cells[1].textContent = fixed(be.factor, 5);
    cells[2].textContent = `${fixed((is.turn * 180) / Math.PI, 2)}°`;
    cells[3].textContent = `${fixed((be.turn * 180) / Math.PI, 2)}°`;
    sentence.textContent = say(s, be);
    note.textContent = "Derived: the largest modulus of an eigenvalue, and its angle. Measured: the game itself, played a millionth of the start away from the equilibrium.";
    Object.assign(root.dataset, { factor: is.factor, derived: be.factor });
  }

  const number = (name, key) => (t) => `${name} = ${fixed(t[key], 2)}`;
  const fig = figure({ model, el }, {
    ask: "Why does the game go round, and what stops it?",
    style: LOOK,
    controls: [
      pick("loss", "loss", names(LOSSES)),
      pick("method", "steps", names(METHODS)),
      slide("eta", number("step η", "eta"), { min: 0.01, max: 1.5, step: 0.01 }),
      slide("gamma", number("penalty γ", "gamma"), { min: 0, max: 3, step: 0.01 }),
      slide("steps", (t) => `rounds: ${t.steps}`, { min: 1, max: 400, step: 1 }),
      press(() => (player?.running ? "stop" : "play"), () => { shown = player.running ? Infinity : 0; player.toggle(); }),
    ],
    panels: [`<svg viewBox="0 0 ${W} ${H}" role="application" tabindex="0" class="gl-move"></svg>`, `<svg viewBox="0 0 ${W} ${H}" role="img"></svg>`],
    after: measures("one step", ["factor of the distance", "turn"]),
    also: ["theta0", "psi0"],
    draw,
  });

  player = loop(fig, () => {
    if (++shown < model.get("steps")) return fig.draw();
    shown = Infinity;
    return false;
  });

  const place = (theta, psi) => {
    const inside = (v) => Math.round(100 * Math.min(2.5, Math.max(-2.5, v))) / 100;
    if (Math.hypot(inside(theta), inside(psi)) < 0.02) return; // at the equilibrium nothing happens
    fig.put("theta0", inside(theta));
    fig.put("psi0", inside(psi));
  };
  drag(fig.panels[0], (x, y) => place(
    ((x - L) / SIDE) * 2 * REACH - REACH, ((T + SIDE - y) / SIDE) * 2 * REACH - REACH));
  arrows(fig.panels[0], (dx, dy) => place(model.get("theta0") + 0.1 * dx, model.get("psi0") + 0.1 * dy));
  return fig.close;
}

export default { render };
