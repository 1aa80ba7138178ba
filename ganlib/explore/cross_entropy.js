// What does one sample cost, and how hard does it push?  (chapter 1)
//
// A sample has the logit a, and D = sigmoid(a). Each loss is written twice, from the logit and from D itself:
// with softplus nothing overflows, and -log D is the cross-entropy as it is read.

// ---------------------------------------------------------------- numerics

const minusLogD = { ofLogit: (a) => softplus(-a), ofD: (d) => -Math.log(d), formula: "−log D" };
const minusLogRest = { ofLogit: softplus, ofD: (d) => -Math.log1p(-d), formula: "−log(1 − D)" };
const logRest = { ofLogit: (a) => -softplus(a), ofD: (d) => Math.log1p(-d), formula: "log(1 − D)" };

/** The four losses. `byLogit` and `byD` are their slopes, derived. */
export const LOSSES = {
  "D on real": { ...minusLogD, player: "D", real: true, byLogit: (d) => d - 1, byD: (d) => -1 / d, slopes: ["D − 1", "−1 / D"] },
  "D on fake": { ...minusLogRest, player: "D", byLogit: (d) => d, byD: (d) => 1 / (1 - d), slopes: ["D", "1 / (1 − D)"] },
  "G saturating": { ...logRest, player: "G", byLogit: (d) => -d, byD: (d) => -1 / (1 - d), slopes: ["−D", "−1 / (1 − D)"] },
  "G non-saturating": { ...minusLogD, player: "G", byLogit: (d) => d - 1, byD: (d) => -1 / d, slopes: ["D − 1", "−1 / D"] },
};

/** The loss at a logit and its two slopes, measured by differences of the loss and derived. */
export function row(name, a) {
  const loss = LOSSES[name], d = sigmoid(a);
  return {
    a, d, value: loss.ofLogit(a),
    measured: { byLogit: difference(loss.ofLogit, a), byD: difference(loss.ofD, d, 1e-3 * Math.min(d, 1 - d)) },
    derived: { byLogit: loss.byLogit(d), byD: loss.byD(d) },
  };
}

/** The sentence below the picture. */
export function say(name, { a, d, value, derived: { byLogit } }) {
  const { player, real, formula, slopes } = LOSSES[name], g = player === "G";
  const role = {
    "D on real": `so the sample’s term of V is ${show(-value)}`,
    "D on fake": `so the sample’s term of V is ${show(-value)}`,
    "G saturating": "and this is the sample’s term of V",
    "G non-saturating": "which is no term of V but D’s loss with the label swapped",
  }[name];
  const wins = g ? a > 0 : a > 0 === Boolean(real);
  const state = a === 0 ? "D cannot tell" : g ? (wins ? "G is winning" : "G is losing") : wins ? "D is right" : "D is wrong";
  const force = Math.abs(byLogit);
  const feel = force > 0.9 ? "feels nearly the greatest push" : force > 0.1 ? `feels ${Math.round(100 * force)} % of the greatest push` : "feels next to nothing";
  return `D says ${show(d)} to a ${real ? "real" : "made"} sample: ${state}. ${player}’s loss ${formula} is ${show(value)}, ${role}. ` +
    `The slope ${slopes[0]} is ${show(byLogit)}: ${player} wants the logit ${byLogit < 0 ? "higher" : "lower"} and ${feel}.`;
}

// ---------------------------------------------------------------- drawing

export const EDGE = 6; // logits of the slider
const L = 30, T = 20, UNIT = 18, WIDE = 8, TALL = 6.5; // one nat is as long as one unit of the logit
const W = L + 2 * WIDE * UNIT + 4, BOTTOM = T + 2 * TALL * UNIT, H = BOTTOM + 34;
const Y = (v) => between(BOTTOM, T, (v + TALL) / (2 * TALL));
const ofLogit = (a) => between(L, W - 4, (a + WIDE) / (2 * WIDE));
const ofD = (d) => between(L, W - 4, d);
const GRID = Array.from({ length: 161 }, (_, i) => WIDE * (i / 80 - 1));
const tint = (name) => (LOSSES[name].real ? "real" : "fake");

// Both panels: the chosen loss, the others thin, the tangent whose slope is derived, the point.
function panel({ id, title, across, X, curve, ticks, name, slope, at, value, extra = "" }) {
  const box = `x="${L}" y="${T}" width="${W - 4 - L}" height="${BOTTOM - T}"`;
  const trace = (other) => `<path d="${path(curve(LOSSES[other]).map(([x, y]) => [X(x), Y(y)]))}" class="loss ${tint(other)}`;
  const others = ["D on real", "D on fake", "G saturating"].filter((other) => LOSSES[other].formula !== LOSSES[name].formula);
  const tilt = [X(1) - X(0), -slope * UNIT], reach = 44 / Math.hypot(...tilt);
  const [u, v] = tilt.map((e) => e * reach);
  return `<clipPath id="${id}"><rect ${box}/></clipPath>` +
    [-6, -4, -2, 0, 2, 4, 6].map((n) => line(L, Y(n), W - 4, Y(n), n ? "grid" : "axis") + word(L - 6, Y(n) + 4, fixed(n, 0), 'text-anchor="end"')).join("") +
    ticks.map((n) => line(X(n), BOTTOM, X(n), BOTTOM + 4, "tick") + word(X(n), BOTTOM + 16, String(n).replace("-", "−"), 'text-anchor="middle"')).join("") +
    word((L + W - 4) / 2, H - 3, across, 'text-anchor="middle"') + word(L, T - 7, title) +
    line(X(at), T, X(at), BOTTOM, "cursor") +
    `<g clip-path="url(#${id})">${others.map((other) => `${trace(other)} ghost"/>`).join("")}${trace(name)}"/>` +
    `${line(X(at) - u, Y(value) - v, X(at) + u, Y(value) + v, "tangent")}</g>${extra}` + dot(X(at), Y(value), 5.5, `here ${tint(name)}`);
}

const NAMES = [[-4.4, 5, "start", "D on real"], [4.4, 5, "end", "D on fake"], [4.4, -5, "end", "G saturating"]].map(([a, v, anchor, name]) =>
  word(ofLogit(a), Y(v) + 4, LOSSES[name].formula, `text-anchor="${anchor}"`)).join("");

// The push on the logit, against the slope: two units long where it is greatest, from the edge of the dot.
function push(name, r) {
  const way = -Math.sign(r.derived.byLogit), y = Y(r.value), long = 2 * UNIT * Math.abs(r.derived.byLogit);
  const start = ofLogit(r.a) + 6 * way, end = start + way * long, head = Math.min(7, long), wing = (5 * head) / 7;
  return `<path d="${path([[start, y], [end, y]])}${path([[end - way * head, y - wing], [end, y], [end - way * head, y + wing]])}" class="push ${LOSSES[name].player}"/>`;
}

const LOOK = `
.gl-fig .loss{stroke-width:2.6;stroke-linejoin:round}.gl-fig .loss.ghost{stroke-width:1.2;stroke-opacity:.45}
.gl-fig .loss.real{stroke:var(--real)}.gl-fig .loss.fake{stroke:var(--fake)}
.gl-fig .here.real{fill:var(--real)}.gl-fig .here.fake{fill:var(--fake)}
.gl-fig .tangent{stroke:currentColor;stroke-width:1.4;stroke-dasharray:5 4}
.gl-fig .push{stroke-width:3.4;stroke-linecap:round;stroke-linejoin:round}
.gl-fig .push.D{stroke:var(--critic)}.gl-fig .push.G{stroke:var(--fake)}`;
const both = (f) => GRID.map((a) => [a, f.ofLogit(a)]);
const overD = (f) => GRID.map((a) => [sigmoid(a), f.ofLogit(a)]);

function render({ model, el }) {
  function draw({ id, panels: [left, right], say: sentence, note, cells, root }, t) {
    const r = row(t.loss, t.a), shared = { name: t.loss, value: r.value };
    left.innerHTML = panel({ ...shared, id: `${id}-d`, title: "loss, in nats", across: "what D says", X: ofD, curve: overD, ticks: [0, 0.25, 0.5, 0.75, 1],
      at: r.d, slope: r.derived.byD });
    right.innerHTML = panel({ ...shared, id: `${id}-a`, title: "the same loss", across: "logit a", X: ofLogit, curve: both, ticks: [-6, -4, -2, 0, 2, 4, 6],
      at: r.a, slope: r.derived.byLogit, extra: NAMES + push(t.loss, r) });
    left.setAttribute("aria-label", `The loss over D: ${show(r.value)} where D is ${show(r.d)}, slope ${show(r.derived.byD)}.`);
    right.setAttribute("aria-label", `The loss over the logit: ${show(r.value)} at a = ${fixed(t.a, 2)}, slope ${show(r.derived.byLogit)}.`);
    ["byLogit", "byD"].forEach((key, i) => {
      cells[2 * i].textContent = show(r.measured[key]);
      cells[2 * i + 1].innerHTML = `${show(r.derived[key])}<small>${LOSSES[t.loss].slopes[i]}</small>`;
    });
    sentence.textContent = say(t.loss, r);
    note.textContent = "Measured: a difference quotient of the loss itself. The dashed tangents have the derived slopes, the arrow is the push on the logit.";
    Object.assign(root.dataset, { measured: r.measured.byLogit, derived: r.derived.byLogit });
  }

  const fig = figure({ model, el }, {
    ask: "What does one sample cost, and how hard does it push?",
    style: LOOK,
    controls: [
      choice("loss", "Which loss", {
        "D on real": "D, real sample: −log D", "D on fake": "D, made sample: −log(1 − D)",
        "G saturating": "G, saturating: log(1 − D)", "G non-saturating": "G, non-saturating: −log D",
      }),
      slide("a", (t) => `logit a = ${fixed(t.a, 2)}`, { min: -EDGE, max: EDGE, step: 0.05 }),
    ],
    panels: Array(2).fill(`<svg viewBox="0 0 ${W} ${H}" role="img" class="gl-drag"></svg>`),
    after: measures("slope", ["against the logit", "against D"]),
    draw,
  });

  const put = (a) => fig.put("a", Math.round(20 * Math.min(EDGE, Math.max(-EDGE, a))) / 20);
  const share = (x) => Math.min(1, Math.max(0, (x - L) / (W - 4 - L)));
  drag(fig.panels[0], (x) => put(Math.log(share(x) / (1 - share(x)))));
  drag(fig.panels[1], (x) => put(2 * WIDE * share(x) - WIDE));
  return fig.close;
}

export default { render };
