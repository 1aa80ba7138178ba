// How fast must the discriminator be, so that the modes settle?  (chapter 9)
//
// The data is uniform on K atoms. The generator has the mass q = softmax(u), the discriminator a logit a_i for
// each atom. With h = softplus and the rates eta and kappa the velocities are (9.15):
//
//     u_i' = eta q_i (h(a_i) - sum_j q_j h(a_j)),        a_i' = kappa (1/K - (1/K + q_i) sigmoid(a_i)).

// ---------------------------------------------------------------- numerics

export function softmax(u) {
  const top = Math.max(...u), e = u.map((v) => Math.exp(v - top)), sum = e.reduce((s, v) => s + v, 0);
  return e.map((v) => v / sum);
}

/** One round from { u, a }. Alternating: the discriminator moves first, and the generator sees where it went. */
export function round({ K, eta, kappa, order }, { u, a }) {
  const q = softmax(u), next = a.map((v, i) => v + kappa * (1 / K - (1 / K + q[i]) * sigmoid(v)));
  const h = (order === "alternating" ? next : a).map(softplus), mean = h.reduce((s, v, i) => s + q[i] * v, 0);
  return { u: u.map((v, i) => v + eta * q[i] * (h[i] - mean)), a: next };
}

/** The game from its start: { u, a } after each round. */
export function points(s) {
  const out = [{ u: s.tilt.slice(0, s.K).map((v, i) => v + (i ? 0 : s.lead)), a: Array(s.K).fill(0) }];
  for (let n = 0; n < s.rounds; n++) out.push(round(s, out[n]));
  return out;
}

/** How often the lead passes from atom to atom, counted while the leader has more than 1.2 / K of the mass. */
export function hops(masses) {
  let count = 0, last = -1;
  for (const q of masses) {
    const most = Math.max(...q), leader = q.indexOf(most);
    if (most <= 1.2 / q.length) continue;
    if (last >= 0 && leader !== last) count++;
    last = leader;
  }
  return count;
}

/** Theorem 9.2: below this kappa a round turns. */
export const threshold = ({ K, eta, order }) => (4 * eta) / (order === "alternating" ? (1 + eta / (2 * K)) ** 2 : 1);

/** The factor of the distance in a round and the rounds of a turn, from the eigenvalues of a round at the equilibrium. */
export function derived({ K, eta, kappa, order }) {
  const x = kappa / (2 * K), y = eta / (2 * K), both = order === "alternating";
  const trace = 2 - x - (both ? x * y : 0), det = 1 - x + (both ? 0 : x * y), d = trace * trace - 4 * det;
  return d < -1e-12 // at the threshold d is zero but for rounding
    ? { factor: Math.sqrt(det), period: (2 * Math.PI) / Math.atan2(Math.sqrt(-d), trace) }
    : { factor: (trace + Math.sqrt(Math.max(0, d))) / 2, period: Infinity };
}

/**
 * The same, measured: the game played with two atoms a millionth apart. The first has w more than the equilibrium and
 * the logit b, the second as much less; w and b are drawn back after every round. A turn is two changes of sign of w,
 * and the factor is read off b where w is 0. If the direction of (w, b) comes to rest, nothing turns.
 */
export function measured(s, most = 12000) {
  const near = 1e-6, zeros = [], rest = Array(s.K - 2).fill(0), half = ([p, q]) => (p - q) / 2;
  let w = near, b = 0, far = 0, grown = 1;
  for (let n = 0; n < most && (n < 900 || zeros.length < 8); n++) {
    const z = round(s, { u: [w, -w, ...rest], a: [b, -b, ...rest] }), v = half(z.u), c = half(z.a);
    if (w * v < 0) zeros.push([n + w / (w - v), far + Math.log(Math.abs((b * v - c * w) / (v - w)))]);
    grown = Math.hypot(v, c) / Math.hypot(w, b);
    if (Math.abs(w * c - b * v) < 1e-9 * near * near * grown) break;
    far += Math.log(grown);
    [w, b] = [v / grown, c / grown];
  }
  if (zeros.length < 2) return { factor: grown, period: Infinity };
  const [[t0, l0], [t1, l1]] = [zeros[0], zeros.at(-1)];
  return { factor: Math.exp((l1 - l0) / (t1 - t0)), period: (2 * (t1 - t0)) / (zeros.length - 1) };
}

const long = (period) => (period < 100 ? show(period) : whole(Math.round(period)));

/** The sentence below the picture. */
export function say(s, count, { factor, period }) {
  const turns = period < Infinity, edge = threshold(s);
  const fate =
    count ? `the mass hops: the lead passes on ${count === 1 ? "once" : `${whole(count)} times`} in ${whole(s.rounds)} rounds` :
    turns ? `the mass oscillates and settles: no hop in ${whole(s.rounds)} rounds` : `the mass settles: no hop in ${whole(s.rounds)} rounds`;
  const way = turns ? `goes round, ${long(period)} rounds to a turn` : "does not go round";
  return `${s.order === "alternating" ? "Alternating" : "Simultaneous"} steps, κ = ${fixed(s.kappa, 2)}, η = ${fixed(s.eta, 2)}: ${fate}. ` +
    `Close to the equilibrium the game ${way}, and a round multiplies the distance by ${fixed(factor, 4)}. It turns only for κ below ${show(edge)}.`;
}

// ---------------------------------------------------------------- drawing

const W = 360, L = 34, R = 8, T = 22, B = 34, TALL = 416, H = 204; // one tall panel, two of half its height
const FASTEST = 3;
const along = (rounds) => (n) => between(L, W - R, n / rounds);

// Every atom has a lane from 0 to 1: the generator's mass, and what the discriminator says of the atom.
function lanesPanel(s, game, masses) {
  const X = along(s.rounds), high = (TALL - T - B) / s.K, columns = Math.min(s.rounds, W - L - R);
  const at = Array.from({ length: columns + 1 }, (_, i) => Math.round((i * s.rounds) / columns));
  let lanes = "";
  for (let i = 0; i < s.K; i++) {
    const base = T + (i + 1) * high, Y = (v) => base - v * high * 0.88;
    const mass = at.map((n) => [X(n), Y(masses[n][i])]);
    lanes += `<path d="${path([[L, base], ...mass, [W - R, base]])}" class="mass"/>` + line(L, base, W - R, base, "tick") +
      line(L, Y(1 / s.K), W - R, Y(1 / s.K), "even") +
      `<path d="${path(at.map((n) => [X(n), Y(sigmoid(game[n].a[i]))]))}" class="critic belief"/>` +
      word(L - 8, base - high / 2 + 4, i + 1, 'text-anchor="end"');
  }
  const ticks = [0, s.rounds / 2, s.rounds].map((n, i) =>
    word(X(n), TALL - B + 15, whole(n), `text-anchor="${["start", "middle", "end"][i]}"`)).join("");
  return lanes + ticks + word(L, T - 9, "atoms: mass q and D = σ(a), each from 0 to 1") + word((L + W - R) / 2, TALL - 3, "rounds", 'text-anchor="middle"');
}

// One round: the generator's mass upwards, the logits below.
function barsPanel(s, q, a, n, reach) {
  const wide = (W - L - R) / s.K, low = 112, zero = 156, Y = (v) => between(low, T + 2, v), Z = (v) => zero - (v / reach) * 30;
  const X = (i) => L + (i + 0.18) * wide;
  const bar = (i, from, to, cls) => `<rect x="${X(i).toFixed(1)}" y="${Math.min(from, to).toFixed(1)}" width="${(0.64 * wide).toFixed(1)}" height="${Math.abs(to - from).toFixed(1)}" class="${cls}"/>`;
  return [0, 1].map((v) => line(L, Y(v), W - R, Y(v), "grid") + word(L - 7, Y(v) + 4, v || "0", 'text-anchor="end"')).join("") +
    q.map((v, i) => bar(i, low, Y(v), "full") + bar(i, zero, Z(a[i]), "logit") + word(X(i) + 0.32 * wide, H - 3, i + 1, 'text-anchor="middle"')).join("") +
    line(L, Y(1 / s.K), W - R, Y(1 / s.K), "even") + line(L, zero, W - R, zero, "tick") +
    word(L - 7, Z(reach) + 4, reach, 'text-anchor="end"') + word(L - 7, zero + 4, "0", 'text-anchor="end"') +
    word(L - 7, Z(-reach) + 4, fixed(-reach, 0), 'text-anchor="end"') +
    word(L, T - 9, `round ${whole(n)}: mass q above, logits a below`);
}

// The factor of a round against kappa: derived dashed, the game that is played a dot.
function factorPanel(s, is) {
  const edge = threshold(s), range = Array.from({ length: 151 }, (_, i) => (i / 150) * FASTEST);
  if (edge < FASTEST) range.push(edge);
  const curve = range.sort((p, q) => p - q).map((kappa) => [kappa, derived({ ...s, kappa }).factor]);
  const low = Math.floor(Math.min(is.factor, ...curve.map(([, f]) => f)) * 20 - 0.2) / 20;
  const X = (k) => between(L, W - R, k / FASTEST), Y = (f) => between(H - B, T, (f - low) / (1 - low));
  const near = Math.min(Math.max(X(edge), L + 34), W - R);
  return [low, 1].map((f) => line(L, Y(f), W - R, Y(f), "grid") + word(L - 5, Y(f) + 4, fixed(f, 2), 'text-anchor="end"')).join("") +
    [0, 1, 2, 3].map((k) => line(X(k), H - B, X(k), H - B + 4, "tick") + word(X(k), H - B + 16, k, `text-anchor="${k < 3 ? "middle" : "end"}"`)).join("") +
    (edge < FASTEST ? line(X(edge), T, X(edge), H - B, "tick") : "") +
    (near - L > 70 ? word(near - 7, T + 14, "turns", 'text-anchor="end"') : "") + (W - R - near > 90 ? word(near + 7, T + 14, "does not turn") : "") +
    `<path d="${path(curve.map(([k, f]) => [X(k), Y(f)]))}" class="derived"/>` + dot(X(s.kappa), Y(is.factor), 5, "played") +
    word(L, T - 9, "factor of the distance in a round") + word((L + W - R) / 2, H - 3, "rate κ of the discriminator", 'text-anchor="middle"');
}

const LOOK = `
@container (min-width:561px){.gl-fig .gl-panels{grid-template-columns:1fr 1fr}.gl-fig .gl-panels>:first-child{grid-row:span 2}}
.gl-fig .mass{fill:var(--fake);fill-opacity:.75}.gl-fig .belief{stroke-width:1.6}
.gl-fig .even{stroke:var(--real);stroke-width:1.4}.gl-fig .logit{fill:var(--critic)}.gl-fig .played{fill:var(--other)}`;
const KEYS = ["K", "eta", "kappa", "order", "lead", "tilt", "rounds"];
const ORDERS = { alternating: "alternating, D first", simultaneous: "simultaneous" };

function render({ model, el }) {
  let known = "", game, masses, reach, player; // played again only when a setting changes, not when the cursor moves

  function draw({ panels: [left, bars, right], say: sentence, note, cells, root }, t) {
    const s = Object.fromEntries(KEYS.map((key) => [key, t[key]])), text = JSON.stringify(s);
    if (text !== known) {
      known = text;
      game = points(s);
      masses = game.map(({ u }) => softmax(u));
      reach = Math.max(1, Math.ceil(Math.max(...game.map(({ a }) => Math.max(...a.map(Math.abs))))));
      const is = measured(s), be = derived(s), count = hops(masses), turn = ({ period }) => (period < Infinity ? long(period) : "none");
      left.innerHTML = lanesPanel(s, game, masses) + "<g></g>";
      left.setAttribute("aria-label", `Mass of ${s.K} atoms and the discriminator’s answer over ${whole(s.rounds)} rounds; hops: ${count}.`);
      right.innerHTML = factorPanel(s, is);
      right.setAttribute("aria-label", `Factor of a round against κ, least at the threshold ${show(threshold(s))}; at κ = ${show(s.kappa)} it is ${fixed(is.factor, 4)}.`);
      [fixed(is.factor, 5), fixed(be.factor, 5), turn(is), turn(be)].forEach((v, i) => { cells[i].textContent = v; });
      sentence.textContent = say(s, count, be);
      note.innerHTML = `${mark(`<path d="M0 6H12" class="critic"/>`)}discriminator, ${mark(dot(6, 6, 5, "full"))}generator, ${mark(line(0, 6, 12, 6, "even"))}data: 1/K on each atom. ` +
        "Derived: the eigenvalues of a round. Measured: the game itself, played with two atoms a millionth apart.";
      Object.assign(root.dataset, { factor: is.factor, derived: be.factor, hops: count });
    }
    const n = Math.min(t.at, s.rounds), x = along(s.rounds)(n);
    left.lastChild.innerHTML = line(x, T, x, TALL - B, "cursor");
    bars.innerHTML = barsPanel(s, masses[n], game[n].a, n, reach);
    bars.setAttribute("aria-label", `Round ${whole(n)}. Mass: ${masses[n].map((v) => fixed(v, 2)).join(", ")}. Logits: ${game[n].a.map((v) => fixed(v, 2)).join(", ")}.`);
  }

  const rate = (name, key) => (t) => `${name} = ${fixed(t[key], 2)}`;
  const fig = figure({ model, el }, {
    ask: "How fast must the discriminator be, so that the modes settle?",
    style: LOOK,
    controls: [
      choice("order", "Order of the moves", ORDERS),
      slide("kappa", rate("rate of D, κ", "kappa"), { min: 0.01, max: FASTEST, step: 0.01 }),
      slide("eta", rate("rate of G, η", "eta"), { min: 0.05, max: 1, step: 0.05 }),
      slide("K", (t) => `atoms K = ${t.K}`, { min: 2, max: 8, step: 1 }),
      slide("lead", (t) => `start: first atom + ${fixed(t.lead, 1)}`, { min: 0, max: 6, step: 0.1 }),
      slide("rounds", (t) => `rounds: ${whole(t.rounds)}`, { min: 100, max: 4000, step: 100 }),
      slide("at", (t) => `bars: round ${whole(Math.min(t.at, t.rounds))}`, (t) => ({ min: 0, max: t.rounds, step: 1 })),
      press(() => (player?.running ? "stop" : "play"), () => {
        if (!player.running && model.get("at") >= model.get("rounds")) fig.put("at", 0);
        player.toggle();
      }),
    ],
    panels: [[TALL, " class='gl-drag'"], [H, ""], [H, ""]].map(([h, cls]) => `<svg viewBox="0 0 ${W} ${h}" role="img"${cls}></svg>`),
    after: measures("one round", ["factor of the distance", "rounds for a turn"]),
    also: ["tilt"],
    draw,
  });

  player = loop(fig, () => { // a run takes five seconds
    fig.put("at", Math.min(model.get("rounds"), model.get("at") + Math.ceil(model.get("rounds") / 300)));
    return model.get("at") < model.get("rounds");
  });
  drag(fig.panels[0], (x) => fig.put("at", Math.round(Math.min(1, Math.max(0, (x - L) / (W - R - L))) * model.get("rounds"))));
  return fig.close;
}

export default { render };
