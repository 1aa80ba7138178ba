// How far apart are two laws, and what can measure it?  (chapter 4)
//
// Two laws are masses p and q on places x that stand evenly apart: six of them whose bars the reader moves, or the
// cells of a line on which U[0, 1] stands still and U[theta, theta + 1] moves.

// ---------------------------------------------------------------- the two laws

export const CELL = 0.05, FAR = 2; // width of a cell; theta goes from -FAR to FAR

/** Places and masses { x, p, q } of the settings t. */
export function laws(t) {
  if (t.mode === "atoms") return { x: t.p.map((_, i) => i + 1), p: t.p, q: t.q };
  const x = Array.from({ length: Math.round((2 * FAR + 1) / CELL) }, (_, i) => (i + 0.5) * CELL - FAR);
  const uniform = (from) => x.map((at) => (Math.abs(at - from - 0.5) < 0.5 ? CELL : 0));
  return { x, p: uniform(0), q: uniform(t.theta) };
}

/** Masses with that of place i set to v; the others share what remains as they did. Less than 0.005 counts as nothing. */
export function reweigh(masses, i, v) {
  const rest = 1 - masses[i];
  const raw = masses.map((m, j) => (j === i ? v : rest > 1e-9 ? (m * (1 - v)) / rest : (1 - v) / (masses.length - 1)));
  const kept = raw.map((m) => (m < 0.005 ? 0 : m)), sum = kept.reduce((a, b) => a + b);
  return kept.map((m) => m / sum);
}

// ---------------------------------------------------------------- what is derived

const total = ({ x, p, q }, f) => x.reduce((sum, at, i) => sum + f(p[i], q[i], at), 0);
const nats = (p, q) => (p > 0 ? p * Math.log(p / q) : 0); // infinite where q = 0 < p
const fromJSD = (jsd) => ({ V: -Math.log(4) + 2 * jsd, jsd });

/** Each divergence by its definition. */
export function byDefinition(law) {
  let ahead = 0; // F - G, so far
  const step = law.x[1] - law.x[0];
  return {
    ...fromJSD(total(law, (p, q) => nats(p, (p + q) / 2) + nats(q, (p + q) / 2)) / 2),
    kl: total(law, nats),
    lk: total(law, (p, q) => nats(q, p)),
    tv: total(law, (p, q) => Math.abs(p - q)) / 2,
    w1: total(law, (p, q) => step * Math.abs(ahead += p - q)),
  };
}

/** U[0, 1] against U[theta, theta + 1], in closed form. */
export function shifted(theta) {
  const far = Math.abs(theta), apart = Math.min(far, 1), kl = far > 0 ? Infinity : 0;
  return { ...fromJSD(apart * Math.log(2)), kl, lk: kl, tv: apart, w1: far };
}

export const derived = (t) => (t.mode === "atoms" ? byDefinition(laws(t)) : shifted(t.theta));

// ---------------------------------------------------------------- what is measured

/** One logit for each place after so many steps up V; a step there is 4 / (p + q) times the slope, so it never overshoots. */
export function train({ p, q }, steps) {
  return p.map((_, i) => {
    let a = 0;
    if (p[i] + q[i] > 0) for (let k = 0; k < steps; k++) a += (4 / (p[i] + q[i])) * (p[i] * sigmoid(-a) - q[i] * sigmoid(a));
    return a;
  });
}

/** The cost of carrying p to q, mass times way, the leftmost mass to the leftmost room. */
export function carried({ x, p, q }) {
  let cost = 0, i = 0, j = 0, load = p[0], room = q[0];
  while (i < x.length && j < x.length) {
    const m = Math.min(load, room);
    cost += m * Math.abs(x[i] - x[j]);
    if ((load -= m) < 1e-12) load = p[++i];
    if ((room -= m) < 1e-12) room = q[++j];
  }
  return cost;
}

/** What a discriminator of so many steps tells: its value, its mean logits, and how often it guesses right. W1 is carried out. */
export function measured(t) {
  const law = laws(t), a = train(law, t.steps), mean = (f) => law.x.reduce((sum, _, i) => sum + f(law.p[i], law.q[i], a[i]), 0);
  const V = -mean((p, q, a) => p * softplus(-a) + q * softplus(a));
  return {
    V,
    jsd: (V + Math.log(4)) / 2,
    kl: mean((p, _, a) => p * a),
    lk: -mean((_, q, a) => q * a),
    tv: mean((p, q, a) => (a > 0 ? p - q : 0)),
    w1: carried(law),
  };
}

/** The sentence below the picture. */
export function say(t, is, be) {
  const D = `A discriminator of ${t.steps} ${t.steps === 1 ? "step" : "steps"} reads V = ${fixed(is.V, 3)}`;
  const value = `${D}, ${show(Math.max(0, is.V + Math.log(4)))} above −log 4. Half of that is its reading of JSD, which is ${show(be.jsd)}.`;
  if (be.tv < 1e-12) return `The two laws agree. ${D}, and none can read more than −log 4; every divergence is 0.`;
  if (be.tv > 1 - 1e-9) {
    const still = t.mode === "atoms" ? "wherever the places are" : "and a small move of θ changes neither";
    return `The two laws share no place. JSD is at its ceiling log 2 and TV at 1, ${still}. Only W₁ = ${show(be.w1)} tells how far apart they are. ${D}.`;
  }
  if (t.mode !== "atoms") return `The intervals overlap on a length of ${fixed(1 - be.w1, 2)}. ${value} Both KL are infinite: each law has mass where the other has none.`;
  const alone = (p, q) => t[p].findIndex((m, i) => m > 0 && t[q][i] === 0) + 1;
  const why = [["p", "q", "KL(p‖q)"], ["q", "p", "KL(q‖p)"]].filter(([p, q]) => alone(p, q))
    .map(([p, q, name]) => ` On place ${alone(p, q)} stands ${p} without ${q}, so ${name} is infinite.`).join("");
  return value + why;
}

// ---------------------------------------------------------------- drawing

const W = 360, H = 250, L = 30, R = 8, T = 18, B = 34;
const up = (top) => (y) => between(H - B, T, y / top);
const alongTheta = (theta) => between(L, W - R - 34, (theta + FAR) / (2 * FAR));
const alongLine = (x) => between(L, W - R, (x + FAR) / (2 * FAR + 1));
const box = (x, y, w, h, cls) => `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${w.toFixed(1)}" height="${Math.max(0, h).toFixed(1)}" class="${cls}"/>`;
const levels = (Y, ys) => ys.map((y) => line(L, Y(y), W - R, Y(y), "grid") + word(L - 6, Y(y) + 4, y || "0", 'text-anchor="end"')).join("");
const slot = (n) => (W - R - L) / n;

function atomsPanel(t, chosen) {
  const Y = up(1), n = t.p.length, wide = 0.38 * slot(n);
  const bars = t.p.map((_, i) => ["p", "q"].map((name, side) => {
    const x = L + (i + 0.5) * slot(n) + (side - 1) * wide, m = t[name][i], now = chosen === 2 * i + side;
    return box(x + 1, Y(m), wide - 2, H - B - Y(m), `law ${name}`) + line(x, Y(m), x + wide, Y(m), `grip ${name}${now ? " now" : ""}`) +
      (now ? word(x + wide / 2, Y(Math.max(t.p[i], t.q[i])) - 8, fixed(m, 2), 'text-anchor="middle"') : "");
  }).join("")).join("");
  return levels(Y, [0, 0.5, 1]) + bars +
    t.p.map((_, i) => word(L + (i + 0.5) * slot(n), H - B + 15, i + 1, 'text-anchor="middle"')).join("") +
    word((L + W - R) / 2, H - 3, "place", 'text-anchor="middle"') + word(L, T - 6, "masses: data p left, generator q right");
}

function linePanel(t) {
  const Y = up(1.25), slab = (from, cls) => box(alongLine(from), Y(1), alongLine(1) - alongLine(0), Y(0) - Y(1), cls);
  const name = (from, text) => word(alongLine(from + 0.5), Y(1) - 6, text, 'text-anchor="middle" font-style="italic"');
  return levels(Y, [0, 0.5, 1]) + slab(0, "law p edge") + slab(t.theta, "law q edge") +
    (Math.abs(t.theta) < 0.3 ? name(t.theta / 2, "p, q") : name(0, "p") + name(t.theta, "q")) +
    [-2, -1, 0, 1, 2, 3].map((x) => word(alongLine(x), H - B + 15, fixed(x, 0), 'text-anchor="middle"')).join("") +
    word((L + W - R) / 2, H - 3, "x", 'text-anchor="middle"') + word(L, T - 6, "densities");
}

const METERS = { // from left to right 0 to 1; infinity fits in
  V: ["max V", "−log 4 to 0", (v) => 1 + v / Math.log(4)], jsd: ["JSD", "0 to log 2", (v) => v / Math.log(2)],
  kl: ["KL(p‖q)", "0 to ∞", (v) => (v < Infinity ? v / (1 + v) : 1)], lk: ["KL(q‖p)", "0 to ∞", (v) => (v < Infinity ? v / (1 + v) : 1)],
  tv: ["TV", "0 to 1", (v) => v], w1: ["W₁", "0 to 5", (v) => v / 5],
};

function metersPanel(is, be) {
  const X = (s) => between(2, W - R, Math.min(1, Math.max(0, s)));
  return Object.entries(METERS).map(([key, [name, range, share]], i) => {
    const y = 16 + 39 * i;
    return word(2, y, name) + word(W - R, y, range, 'text-anchor="end" class="soft"') + box(X(0), y + 6, W - R - 2, 10, "track") +
      box(X(0), y + 6, X(share(is[key])) - X(0), 10, key === "w1" ? "fill way" : "fill") +
      line(X(share(be[key])), y + 1, X(share(be[key])), y + 21, "derived need");
  }).join("");
}

const LADDER = Array.from({ length: 17 }, (_, i) => i / 4 - FAR);
const CURVES = { w1: "W₁", tv: "TV", jsd: "JSD" };

function curvesPanel(t, is, ladder) {
  const Y = up(2), X = alongTheta, kinks = [-FAR, -1, 0, 1, FAR];
  return levels(Y, [0, 1, 2]) + line(X(t.theta), T, X(t.theta), H - B, "cursor") +
    Object.entries(CURVES).map(([key, name]) =>
      `<path d="${path(kinks.map((s) => [X(s), Y(shifted(s)[key])]))}" class="derived"/>` +
      word(X(FAR) + 6, Y(shifted(FAR)[key]) + 4, name) +
      LADDER.map((s, i) => dot(X(s), Y(ladder[i][key]), 3, `at ${key}`)).join("") + dot(X(t.theta), Y(is[key]), 5.5, `at ${key} now`)).join("") +
    word(X(-FAR) + 2, Y(Math.log(2)) + 16, "max V = 0") + word(X(-FAR) + 2, Y(0) - 6, "max V = −log 4") +
    [-2, -1, 0, 1, 2].map((s) => word(X(s), H - B + 15, fixed(s, 0), 'text-anchor="middle"')).join("") +
    word(X(0), H - 3, "θ", 'text-anchor="middle"') + word(L, T - 6, "divergences (KL is infinite unless θ = 0)");
}

const LOOK = `
.gl-fig .law{fill-opacity:.3}.gl-fig .law.p{fill:var(--real)}.gl-fig .law.q{fill:var(--fake)}
.gl-fig .edge{stroke-width:1.6}.gl-fig .edge.p{stroke:var(--real)}.gl-fig .edge.q{stroke:var(--fake)}
.gl-fig .grip{stroke-width:4}.gl-fig .grip.p{stroke:var(--real)}.gl-fig .grip.q{stroke:var(--fake)}
.gl-fig .grip.now{stroke-width:8}.gl-fig .soft{opacity:.8}
.gl-fig .need{stroke-dasharray:4 2;stroke-width:2}
.gl-fig .track{fill:none;stroke:currentColor;stroke-opacity:.35}.gl-fig .fill{fill:var(--critic)}.gl-fig .fill.way,.gl-fig .at.w1{fill:var(--other)}
.gl-fig .at.jsd{fill:var(--critic)}.gl-fig .at.tv{fill:none;stroke:currentColor;stroke-width:1.6}.gl-fig .at.now{stroke:currentColor;stroke-width:1.4}
.gl-fig tbody :is(td,th) small{white-space:normal}`;

const FORMULAS = {
  atoms: ["−log 4 + 2 JSD", "½ KL(p‖m) + ½ KL(q‖m)", "Σ p log p/q", "Σ q log q/p", "½ Σ |p − q|", "Σ |F − G|"],
  uniform: ["−log 4 + 2 JSD", "min(|θ|, 1) log 2", "∞ unless θ = 0", "∞ unless θ = 0", "min(|θ|, 1)", "|θ|"],
};

function render({ model, el }) {
  let chosen = 1, ladder, ladderSteps; // the bar that keys move: place 0 first, p before q

  function draw({ panels: [left, right], say: sentence, note, cells, root }, t) {
    const s = Object.fromEntries(["mode", "p", "q", "theta", "steps"].map((key) => [key, t[key]]));
    const is = measured(s), be = derived(s), atoms = s.mode === "atoms";
    if (!atoms && ladderSteps !== s.steps) [ladderSteps, ladder] = [s.steps, LADDER.map((theta) => measured({ ...s, theta }))];
    left.innerHTML = atoms ? atomsPanel(s, chosen) : linePanel(s);
    right.innerHTML = atoms ? metersPanel(is, be) : curvesPanel(s, is, ladder);
    const name = chosen % 2 ? "q" : "p", place = chosen >> 1;
    left.setAttribute("aria-label", atoms
      ? `Place ${place + 1}, ${name === "p" ? "data" : "generator"}: mass ${fixed(s[name][place], 2)}. Arrow keys: left and right choose a bar, up and down change it.`
      : `Data uniform on 0 to 1, generator on ${fixed(s.theta, 2)} to ${fixed(s.theta + 1, 2)}. Arrow keys left and right move it.`);
    right.setAttribute("aria-label", `JSD ${show(be.jsd)}, total variation ${show(be.tv)}, Wasserstein distance ${show(be.w1)}, max V ${fixed(be.V, 3)}.`);
    Object.keys(METERS).forEach((key, i) => {
      const endless = be[key] === Infinity, number = (v) => (key === "V" ? fixed(v, 4) : fixed(Math.abs(v) < 5e-5 ? 0 : v, 4));
      cells[2 * i].innerHTML = number(is[key]) + (endless ? "<small>grows with each step</small>" : "");
      cells[2 * i + 1].innerHTML = `${endless ? "∞" : number(be[key])}<small>${FORMULAS[s.mode][i]}</small>`;
    });
    sentence.textContent = say(s, is, be);
    note.textContent = atoms
      ? "Drag the top of a bar; the other bars of its law share what remains. Filled: measured. Dashed: derived, with m = (p + q) / 2 and F, G the running sums of p and q."
      : "Drag the generator. Points: measured. Dashed: derived.";
    for (const key of Object.keys(METERS)) Object.assign(root.dataset, { [`is${key}`]: is[key], [`be${key}`]: be[key] });
  }

  const agree = (t) => t.p.every((m, i) => m === t.q[i]), third = [1 / 3, 1 / 3, 1 / 3], none = [0, 0, 0];
  function swap({ traits: t, put }) {
    if (!agree(t)) return put("q", t.p);
    put("p", [...third, ...none]);
    put("q", [...none, ...third]);
  }
  const fig = figure({ model, el }, {
    ask: "How far apart are two laws, and what can measure it?",
    style: LOOK,
    controls: [
      choice("mode", "Which laws", { atoms: "six places", uniform: "U[0, 1] and U[θ, θ + 1]" }),
      slide("theta", (t) => `θ = ${fixed(t.theta, 2)}`, { min: -FAR, max: FAR, step: CELL }, (t) => t.mode !== "atoms"),
      slide("steps", (t) => `steps of D: ${t.steps}`, { min: 0, max: 400, step: 1 }),
      { ...press((t) => (agree(t) ? "take p and q apart" : "make q equal p"), swap), when: (t) => t.mode === "atoms" }, // nothing moves
    ],
    panels: [" role='application' tabindex='0' class='gl-move'", " role='img'"].map((rest) => `<svg viewBox="0 0 ${W} ${H}"${rest}></svg>`),
    after: measures("divergence", [
      "max V<small>value of the trained D</small>", "JSD<small>half of V + log 4</small>", "KL(p‖q)<small>mean logit on data</small>",
      "KL(q‖p)<small>minus the mean logit on fakes</small>", "TV<small>right guesses of D less wrong ones</small>", "W₁<small>mass × way, carried</small>",
    ]),
    also: ["p", "q"],
    draw,
  });

  const clamp = (v, low, high) => Math.min(high, Math.max(low, v));
  const shift = (theta) => fig.put("theta", Number((Math.round(clamp(theta, -FAR, FAR) / CELL) * CELL).toFixed(2)));
  const weigh = (mass) => {
    const name = chosen % 2 ? "q" : "p";
    fig.put(name, reweigh(model.get(name), chosen >> 1, Math.round(100 * clamp(mass, 0, 1)) / 100));
  };
  let grip = 0; // where on the generator's interval the pointer holds it
  drag(fig.panels[0], (x, y, first) => {
    if (model.get("mode") !== "atoms") {
      const at = ((x - L) / (W - R - L)) * (2 * FAR + 1) - FAR, inside = at - model.get("theta");
      if (first) grip = inside > 0 && inside < 1 ? inside : 0.5;
      return shift(at - grip);
    }
    if (first) {
      chosen = clamp(Math.floor((2 * (x - L)) / slot(model.get("p").length)), 0, 2 * model.get("p").length - 1);
      fig.draw();
    }
    weigh((H - B - y) / (H - B - T));
  });
  arrows(fig.panels[0], (dx, dy) => {
    if (model.get("mode") !== "atoms") return shift(model.get("theta") + dx * CELL);
    const bars = 2 * model.get("p").length;
    if (dy) return weigh(model.get(chosen % 2 ? "q" : "p")[chosen >> 1] + 0.05 * dy);
    chosen = (chosen + dx + bars) % bars;
    fig.draw();
  });
  return fig.close;
}

export default { render };
