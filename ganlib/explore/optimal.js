// What does the best discriminator know?  (chapter 3)
//
// Data with density p, a generator that stands still with density q, and a small discriminator that trains in
// the page. Its logit is  w0 + w1 x + sum_j v_j tanh(u_j x + c_j),  with no tanh at all if it is "logistic".

// ---------------------------------------------------------------- the two laws

const density = (x, mean, width) => Math.exp(-(((x - mean) / width) ** 2) / 2) / (width * Math.sqrt(2 * Math.PI));
const bumps = (t) => (t.data === "two bumps" ? [-1.5, 1.5] : [0]); // where they stand, seen from the mean
const REACH = 10; // the line ends here: beyond it is less than 1e-5 of either law

export const p = (t, x) => bumps(t).reduce((sum, at) => sum + density(x, t.p_mean + at, t.p_width), 0) / bumps(t).length;
export const q = (t, x) => density(x, t.q_mean, t.q_width);

/** Places h apart and the masses that the trapezoidal rule gives them under both laws. */
export function masses(t, h) {
  const x = Float64Array.from({ length: Math.round((2 * REACH) / h) + 1 }, (_, i) => i * h - REACH);
  return { x, p: x.map((at) => h * p(t, at)), q: x.map((at) => h * q(t, at)) };
}

// ---------------------------------------------------------------- what is derived

const total = ({ x, p, q }, f) => x.reduce((sum, at, i) => sum + f(p[i], q[i], at), 0);

/** V(D*, G) = -log 4 + 2 JSD(p, q). */
export const derived = (m) => -Math.log(4) + total(m, (p, q) => p * Math.log((2 * p) / (p + q)) + q * Math.log((2 * q) / (p + q)));

/** What a logit a(x) gives away: the integral of (p + q) KL(D*, D), two coins at each point. */
export const gap = (m, a) => total(m, (p, q, x) => {
  const real = p / (p + q), b = Math.log(p / q), lost = (sign) => softplus(-sign * a(x)) - softplus(-sign * b);
  return (p + q) * (real * lost(1) + (1 - real) * lost(-1));
});

// ---------------------------------------------------------------- what is measured

export const UNITS = 12, RATE = 0.08, EPS = 1e-3, MOST = 300, COARSE = 1 / 4, FINE = 1 / 16;

/** The logit of a discriminator with weights w = [w0, w1, then v, u, c of each unit]. */
export function logit(w, x) {
  let a = w[0] + w[1] * x;
  for (let o = 2; o < w.length; o += 3) a += w[o] * Math.tanh(w[o + 1] * x + w[o + 2]);
  return a;
}

/** V(D, G) of a logit that is a function of x. */
export const value = (m, a) => -total(m, (p, q, x) => p * softplus(-a(x)) + q * softplus(a(x)));

// At first each unit is a soft step with slope 3/2 somewhere in [-4, 4] and counts for nothing, so D says 1/2.
const fresh = (units) => Float64Array.from({ length: 2 + 3 * units }, (_, i) => {
  const place = 8 * (Math.floor((i - 2) / 3) / (units - 1)) - 4;
  return i < 2 ? 0 : [0, 1.5, -1.5 * place][(i - 2) % 3];
});

// V and its slope in the weights.
function pull(w, { x, p, q }) {
  const slope = new Float64Array(w.length), unit = new Float64Array(w.length);
  let V = 0;
  for (let i = 0; i < x.length; i++) {
    let a = w[0] + w[1] * x[i];
    for (let o = 2; o < w.length; o += 3) a += w[o] * (unit[o] = Math.tanh(w[o + 1] * x[i] + w[o + 2]));
    V -= p[i] * softplus(-a) + q[i] * softplus(a);
    const up = p[i] - (p[i] + q[i]) * sigmoid(a);
    slope[0] += up;
    slope[1] += up * x[i];
    for (let o = 2; o < w.length; o += 3) {
      const inner = up * w[o] * (1 - unit[o] ** 2);
      slope[o] += up * unit[o];
      slope[o + 1] += inner * x[i];
      slope[o + 2] += inner;
    }
  }
  return { w, V, slope };
}

/** Training from the start: a function that gives the weights `w` and the value `V` after k steps of Adam. */
export function training(t) {
  const m = masses(t, COARSE), past = [pull(fresh(t.critic === "logistic" ? 0 : UNITS), m)];
  const mean = past[0].w.map(() => 0), square = mean.slice();
  return (k) => {
    while (past.length <= k) {
      const { w, slope } = past.at(-1), n = past.length;
      past.push(pull(w.map((v, i) => {
        mean[i] = 0.9 * mean[i] + 0.1 * slope[i];
        square[i] = 0.999 * square[i] + 0.001 * slope[i] ** 2;
        return v + (RATE * mean[i]) / (1 - 0.9 ** n) / (Math.sqrt(square[i] / (1 - 0.999 ** n)) + EPS);
      }), m));
    }
    return past[k];
  };
}

/** All numbers of the table for weights w: V and the gap, each measured and derived, and the distance of D from D*. */
export function readings(t, w) {
  const m = masses(t, FINE), a = (x) => logit(w, x), V = value(m, a);
  const best = value(m, (x) => Math.log(p(t, x) / q(t, x)));
  const far = total(m, (p, q, x) => ((p + q) / 2) * (p / (p + q) - sigmoid(a(x))) ** 2);
  return { V, best: derived(m), gap: best - V, lost: gap(m, a), rms: Math.sqrt(far) };
}

/** The sentence below the picture. */
export function say(t, k, r) {
  const best = `The best discriminator reaches ${fixed(r.best, 3)}`;
  if (k === 0) return `Before the first step D says ½ everywhere, and V is −log 4 = −1.386. ${best}.`;
  const first = `After ${k} ${k === 1 ? "step" : "steps"} D is ${show(r.rms)} away from D*, as a root mean square over data and fakes.`;
  if (r.best + Math.log(4) < 5e-4) return `${first} The two laws are all but equal: D* is ½ and no D can read more than −log 4.`;
  const lost = `${best}; V is ${show(Math.max(0, r.gap))} short of it`;
  if (t.critic === "network" || r.gap < 1e-3) return `${first} ${lost}.`;
  const blind = r.V + Math.log(4) < 1e-3;
  return `${first} ${lost}, because a straight logit cannot bend to log p/q.${blind ? " The two means agree, so it sees no difference at all." : ""}`;
}

// ---------------------------------------------------------------- drawing

const W = 360, H = 244, L = 34, R = 10, T = 18, B = 34, VIEW = 5;
const X = (x) => between(L, W - R, (x + VIEW) / (2 * VIEW)), Y = (y) => between(H - B, T, y);
const PLACES = Array.from({ length: 161 }, (_, i) => (i / 80 - 1) * VIEW);
const MEANS = { min: -2, max: 2, step: 0.05 }, WIDTHS = { min: 0.5, max: 1.5, step: 0.05 };

// The handle of a law stands on a peak: sideways is its mean, up and down its width.
const HANDLES = {
  p: (t) => ({ aside: bumps(t)[0], share: 1 / bumps(t).length }),
  q: () => ({ aside: 0, share: 1 }),
};
const tip = (t, name) => {
  const { aside, share } = HANDLES[name](t);
  return [X(t[`${name}_mean`] + aside), Y(share * density(0, 0, t[`${name}_width`]))];
};

function lawsPanel(t, w) {
  const D = PLACES.map((x) => [X(x), Y(sigmoid(logit(w, x)))]);
  const best = PLACES.map((x) => [X(x), Y(p(t, x) / (p(t, x) + q(t, x)))]);
  const dense = PLACES.map((x) => p(t, x) + q(t, x) > 0.01);
  const bold = D.map(([x, y], i) => (dense[i] ? `${dense[i - 1] ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}` : "")).join("");
  const area = (name, f) =>
    `<path d="${path(PLACES.map((x) => [X(x), Y(f(t, x))]))}L${X(VIEW)} ${Y(0)}L${X(-VIEW)} ${Y(0)}Z" class="law ${name}"/>`;
  const hold = (name) => {
    const [x, y] = tip(t, name);
    return dot(x, y, 7, `hold ${name}`) + word(x, y - 11, name, 'text-anchor="middle" font-style="italic"');
  };
  return [0, 0.5, 1].map((y) => line(L, Y(y), W - R, Y(y), "grid") + word(L - 6, Y(y) + 4, y || "0", 'text-anchor="end"')).join("") +
    [-4, -2, 0, 2, 4].map((x) => line(X(x), H - B, X(x), H - B + 4, "tick") + word(X(x), H - B + 16, fixed(x, 0), 'text-anchor="middle"')).join("") +
    word((L + W - R) / 2, H - 3, "x", 'text-anchor="middle"') + area("p", p) + area("q", q) +
    `<path d="${path(D)}" class="critic ghost"/><path d="${bold}" class="critic"/><path d="${path(best)}" class="derived"/>` +
    hold("p") + hold("q") + word(L, T - 6, "densities, D and D*");
}

function valuePanel(k, learn, best) {
  const lowest = -1.5, across = (s) => between(L, W - R, Math.log1p(s) / Math.log1p(MOST)), up = (v) => between(H - B, T, Math.max(0, 1 - v / lowest));
  const level = (v, name) => line(L, up(v), W - R, up(v), "grid") + word(L - 6, up(v) + 4, name, 'text-anchor="end"');
  const curve = Array.from({ length: k + 1 }, (_, s) => [across(s), up(learn(s).V)]), [x, y] = curve[k], above = up(best) > T + 24;
  return level(0, "0") + level(-0.5, "−0.5") + level(-1, "−1") + level(-Math.log(4), "") +
    word(W - R - 6, up(-Math.log(4)) + 13, "−log 4", 'text-anchor="end"') +
    [0, 1, 10, 100, MOST].map((s) => line(across(s), H - B, across(s), H - B + 4, "tick") + word(across(s), H - B + 16, s, 'text-anchor="middle"')).join("") +
    word((L + W - R) / 2, H - 3, "steps of D", 'text-anchor="middle"') + line(x, T, x, H - B, "cursor") +
    line(L, up(best), W - R, up(best), "derived") + word(L + 4, up(best) + (above ? -6 : 15), "−log 4 + 2 JSD") +
    `<path d="${path(curve)}" class="critic"/>` + dot(x, y, 5.5, "point") + word(L, T - 6, "V(D, G)");
}

const LOOK = `
.gl-fig .law{fill-opacity:.16;stroke-width:1.4}.gl-fig .law.p{fill:var(--real);stroke:var(--real)}.gl-fig .law.q{fill:var(--fake);stroke:var(--fake)}
.gl-fig .hold.p{fill:var(--real)}.gl-fig .hold.q{fill:var(--fake)}.gl-fig .point{fill:var(--critic)}
.gl-fig .gl-slide span{min-width:10.6em}.gl-fig td small{white-space:normal}`;
const KEYS = ["data", "critic", "p_mean", "p_width", "q_mean", "q_width"];

function render({ model, el }) {
  let known = "", learn, shown = 0, player, held; // shown: the step that is drawn while it trains

  function draw({ panels: [left, right], say: sentence, note, cells, root }, t) {
    const s = Object.fromEntries(KEYS.map((key) => [key, t[key]])), text = JSON.stringify(s);
    if (text !== known) [known, learn] = [text, training(s)];
    const moving = player?.running, k = moving ? shown : t.steps, { w } = learn(k), r = readings(s, w);
    left.innerHTML = lawsPanel(s, w);
    right.innerHTML = valuePanel(k, learn, r.best);
    [fixed(r.V, 4), `${fixed(r.best, 4)}<small>−log 4 + 2 JSD</small>`, fixed(r.gap, 6), `${fixed(r.lost, 6)}<small>∫ (p+q) KL(D*, D)</small>`]
      .forEach((text, i) => { cells[i].innerHTML = text; });
    if (moving) return; // the words wait until it rests
    left.setAttribute("aria-label", `Data with mean ${fixed(s.p_mean, 2)} and width ${s.p_width.toFixed(2)}${bumps(s).length > 1 ? " of each of two bumps" : ""}, generator with mean ${fixed(s.q_mean, 2)} and width ${s.q_width.toFixed(2)}; D at a distance of ${show(r.rms)} from D*.`);
    right.setAttribute("aria-label", `V rises in ${k} steps from −1.386 to ${fixed(r.V, 3)}; derived for the best discriminator: ${fixed(r.best, 3)}.`);
    sentence.textContent = say(s, k, r);
    note.textContent = "Green: D, bold where samples are. Dashed: D* = p / (p + q). Drag a peak sideways for the mean, up and down for the width; D is then trained anew.";
    Object.assign(root.dataset, { measured: r.V, derived: r.best, gap: r.gap, lost: r.lost, rms: r.rms });
  }

  const law = (name, key, text, range) => slide(key, (t) => `${name}: ${text} ${fixed(t[key], 2)}`, range);
  const fig = figure({ model, el }, {
    ask: "What does the best discriminator know?",
    style: LOOK,
    controls: [
      pick("data", "data", { normal: "one bump", "two bumps": "two bumps" }),
      pick("critic", "D", { network: `${UNITS} tanh units`, logistic: "a straight logit" }),
      slide("steps", (t) => `steps of D: ${t.steps}`, { min: 0, max: MOST, step: 1 }),
      press((t) => (player?.running ? "stop" : t.steps < MOST ? "train" : "train again"), () => {
        if (player.running) { fig.put("steps", shown); return player.stop(); }
        shown = model.get("steps") % MOST;
        player.toggle();
      }),
      press(() => "step", () => { if (!player.running) fig.put("steps", Math.min(MOST, model.get("steps") + 1)); }),
      press(() => "reset", () => { player.stop(); fig.put("steps", 0); }),
      law("data", "p_mean", "mean", MEANS), law("data", "p_width", "width", WIDTHS),
      law("generator", "q_mean", "mean", MEANS), law("generator", "q_width", "width", WIDTHS),
    ],
    panels: [" class='gl-move'", ""].map((cls) => `<svg viewBox="0 0 ${W} ${H}" role="img"${cls}></svg>`),
    after: measures("trained D", ["value<small>V(D, G)</small>", "short of D*<small>V(D*) − V(D)</small>"]),
    draw,
  });

  player = loop(fig, () => {
    shown = Math.min(MOST, shown + 1 + Math.floor(shown / 40)); // slow at first, when most happens
    if (shown < MOST) return fig.draw();
    fig.put("steps", MOST);
    return false;
  });

  const within = ({ min, max, step }, v) => Number((Math.round(Math.min(max, Math.max(min, v)) / step) * step).toFixed(2));
  drag(fig.panels[0], (x, y, first) => {
    const t = fig.traits, far = (name) => Math.hypot(x - tip(t, name)[0], y - tip(t, name)[1]);
    if (first) held = far("p") < far("q") ? "p" : "q";
    const { aside, share } = HANDLES[held](t), height = Math.max(0.01, (H - B - y) / (H - B - T));
    fig.put(`${held}_mean`, within(MEANS, ((x - L) / (W - R - L)) * 2 * VIEW - VIEW - aside));
    fig.put(`${held}_width`, within(WIDTHS, share * density(0, 0, 1) / height));
  });
  return fig.close;
}

export default { render };
