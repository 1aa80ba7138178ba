// What happens to the generator's gradient while the discriminator gets better?  (chapter 6)

// ---------------------------------------------------------------- numerics

// The two generator losses as functions of the logit a, D = sigmoid(a).
export const saturatingLoss = (a) => -softplus(a); // log(1 - D)
export const nonsaturatingLoss = (a) => softplus(-a); // -log D

// Their gradients follow from the logit and its slope alone: |d log(1-D)| = D|a'|, |d -log D| = (1-D)|a'|.
export const derivedSaturating = (a, slope) => sigmoid(a) * Math.abs(slope);
export const derivedNonsaturating = (a, slope) => sigmoid(-a) * Math.abs(slope);
export const derivedRatio = (a) => Math.exp(a); // D / (1 - D)

// The exact toy: data at 0, generator at theta = 1, D_k(x) = sigmoid(k (1/2 - x)).
export const toyLogit = (k, x) => k * (0.5 - x);
export const toySaturating = (k) => k / (1 + Math.exp(k / 2));
export const toyNonsaturating = (k) => k / (1 + Math.exp(-k / 2));
export const toyRatio = (k) => Math.exp(-k / 2);

// The saturating gradient is largest where u = k/2 solves u = 1 + exp(-u); the map contracts by 0.28 a turn.
export function toyPeak() {
  let u = 1;
  for (let i = 0; i < 60; i++) u = 1 + Math.exp(-u);
  return 2 * u;
}

// Measured on the toy: move the generator's point a little and difference the loss itself.
export const toyMeasured = (k, loss) => Math.abs(difference((x) => loss(toyLogit(k, x)), 1));

// ---------------------------------------------------------------- what is shown at one position of the slider

export const K = { min: 0.25, max: 30, step: 0.25 };
const ladder = Array.from({ length: 30 }, (_, i) => i + 1);

const row = (at, a, slope, sat, ns) => ({
  at, a, slope, d: sigmoid(a), sat, ns, ratio: sat / ns,
  derived: { sat: derivedSaturating(a, slope), ns: derivedNonsaturating(a, slope), ratio: derivedRatio(a) },
});

/** Rows of the trained discriminator, one for each checkpoint, from the model's traits. */
export const trainedRows = (t) => t.steps.map((s, i) => row(s, t.logit[i], t.slope[i], t.sat[i], t.ns[i]));

/** The toy's row at k: the derived column is the closed formula, the measured one a difference quotient. */
export function toyRow(k) {
  const r = row(k, toyLogit(k, 1), -k, toyMeasured(k, saturatingLoss), toyMeasured(k, nonsaturatingLoss));
  r.derived = { sat: toySaturating(k), ns: toyNonsaturating(k), ratio: toyRatio(k) };
  return r;
}

/** A factor in words' precision: 1.4, 23, 480, 12,000. */
export function times(f) {
  const v = Number(f.toPrecision(2));
  return v < 1e6 ? v.toLocaleString("en-GB") : show(v);
}

/** The sentence below the picture. `peak` is the row in which the saturating gradient is largest. */
export function say(r, peak, toy) {
  const where = toy ? `At k = ${r.at}` : `After ${r.at.toLocaleString("en-GB")} ${r.at === 1 ? "step" : "steps"}`;
  const top = toy ? `k = ${peak.at.toFixed(3)}` : `step ${peak.at}`;
  const name = `saturating gradient is ${show(r.sat)}`;
  const drop = peak.sat / r.sat;
  const story =
    r.at === peak.at ? `${name}, the largest of the run` :
    r.at < peak.at ? `${name} and still growing towards its peak at ${top}` :
    drop < 1.05 ? `${name}, just past its peak at ${top}` :
    `${name}, ${times(drop)} times smaller than at its peak (${top})`;
  const factor = r.ns / r.sat;
  const gap =
    factor < 1.05 && factor > 0.95 ? "about as large" :
    factor > 1 ? `${times(factor)} times larger` : `${times(1 / factor)} times smaller`;
  return `${where}, D(1) is ${show(r.d)}. The ${story}. The non-saturating gradient is ${show(r.ns)}, ${gap}.`;
}

// ---------------------------------------------------------------- drawing

const W = 360, H = 218, L = 38, R = 12, T = 16, B = 34; // one panel, in SVG units
// Left: the discriminator along x, the data at 0, the generator at 1, the tangent the generator stands on.
function profilePanel(curve, ghosts, r) {
  const [lo, hi] = [curve[0][0], curve.at(-1)[0]];
  const X = (x) => between(L, W - R, (x - lo) / (hi - lo));
  const Y = (d) => between(H - B, T, d);
  const trace = (c) => path(c.map(([x, d]) => [X(x), Y(d)]));
  const tilt = r.d * (1 - r.d) * r.slope; // D'(1) = D (1-D) a'
  const reach = Math.min(0.28, 0.3 / Math.abs(tilt));
  const ends = [-reach, reach].map((h) => [X(1 + h), Y(r.d + tilt * h)]);
  return [0, 0.5, 1].map((d) => line(L, Y(d), W - R, Y(d), "grid") + word(L - 7, Y(d) + 4, d || "0", 'text-anchor="end"')).join("") +
    line(X(0), T, X(0), H - B, "data") + line(X(1), T, X(1), H - B, "fake thin") +
    word(X(0), H - B + 16, "data, x = 0", 'text-anchor="middle"') +
    word(X(1), H - B + 16, "generator, x = 1", 'text-anchor="middle"') +
    ghosts.map((g) => `<path d="${trace(g)}" class="critic ghost"/>`).join("") +
    `<path d="${trace(curve)}" class="critic"/>` +
    `<path d="${path(ends)}" class="tangent"/>` + dot(X(1), Y(r.d), 5, "fake full now") +
    word(L + 4, T - 5, "D(x)");
}

// Right: both gradients against the slider's quantity, decades upwards. Marks are measured, dashes derived.
function gradientPanel(rows, dashes, now, toy) {
  const last = dashes.at(-1).at;
  const X = toy ? (k) => between(L, W - R - 4, k / last) : (s) => between(L + 6, W - R - 4, Math.log1p(s) / Math.log1p(last));
  const all = [...rows, ...dashes.map((d) => d.derived), now].flatMap((v) => [v.sat, v.ns]).filter((v) => v > 0);
  const low = Math.floor(Math.log10(Math.min(...all))), high = Math.ceil(Math.log10(Math.max(...all)) + 0.3);
  const Y = (g) => between(H - B, T, (Math.log10(Math.max(g, 10 ** low)) - low) / (high - low));
  const decades = Array.from({ length: high - low + 1 }, (_, i) => low + i);
  const ticks = toy ? [0, 10, 20, 30] : [0, 10, 100, 1000, 10000, 100000].filter((s) => s <= last);
  const end = dashes.at(-1);
  const derived = (key) => `<path d="${path(dashes.map((d) => [X(d.at), Y(d.derived[key])]))}" class="derived"/>`;
  return decades.map((n) => line(L, Y(10 ** n), W - R, Y(10 ** n), "grid") +
      (n % 2 && high - low > 5 ? "" : word(L - 7, Y(10 ** n) + 4, power(n), 'text-anchor="end"'))).join("") +
    ticks.map((s) => line(X(s), H - B, X(s), H - B + 4, "tick") + word(X(s), H - B + 16, s.toLocaleString("en-GB"), 'text-anchor="middle"')).join("") +
    word((L + W - R) / 2, H - 4, toy ? "steepness k" : "discriminator steps", 'text-anchor="middle"') +
    line(X(now.at), T, X(now.at), H - B, "cursor") +
    rows.map((v) => dot(X(v.at), Y(v.sat), 2.8, "fake full") + dot(X(v.at), Y(v.ns), 2.8, "open ns")).join("") +
    derived("sat") + derived("ns") +
    dot(X(now.at), Y(now.sat), 5, "fake full now") + dot(X(now.at), Y(now.ns), 5, "open ns now") +
    word(X(end.at), Y(end.derived.ns) - 10, "non-saturating", 'text-anchor="end"') +
    word(X(end.at) - 24, Y(end.derived.sat) + 3, "saturating", 'text-anchor="end"') +
    word(L + 4, T - 5, "size of the generator’s gradient");
}

// The tangent, the two lines of points, and the purple of the non-saturating loss.
const STYLE = `
.gl-fig .data{stroke:var(--real);stroke-width:4;stroke-linecap:round}
.gl-fig .thin{stroke:var(--fake);stroke-width:4;stroke-linecap:round}
.gl-fig .tangent{stroke:currentColor;stroke-width:1.6;stroke-linecap:round}
.gl-fig .open.ns{stroke:var(--other)}`;

const FORMULA = {
  trained: { sat: "σ(a) |a′|", ns: "σ(−a) |a′|", ratio: "e<sup>a</sup>" },
  toy: { sat: "k / (1 + e<sup>k/2</sup>)", ns: "k / (1 + e<sup>−k/2</sup>)", ratio: "e<sup>−k/2</sup>" },
};

function render({ model, el }) {
  const traits = Object.fromEntries(["steps", "sat", "ns", "logit", "slope", "grid"].map((n) => [n, model.get(n)]));
  const curves = model.get("profile").split("\n").map((l) => l.split(" ").map((d, i) => [traits.grid[i], Number(d)]));
  const trained = trainedRows(traits), toyMarks = ladder.map(toyRow);
  const toyLine = Array.from({ length: (K.max - K.min) / K.step + 1 }, (_, i) => toyRow(K.min + i * K.step));
  const trainedPeak = trained.reduce((p, r) => (r.sat > p.sat ? r : p)), peakOfToy = toyRow(toyPeak());
  const toyCurve = (k) => traits.grid.map((x) => [x, sigmoid(toyLogit(k, x))]);

  function draw({ panels: [left, right], say: sentence, note, cells, root }, t) {
    const toy = t.mode === "toy";
    const r = toy ? toyRow(t.k) : trained[t.index];
    const ghosts = toy ? [K.min, 2.5, 10].map(toyCurve) : curves.filter((_, i) => i < t.index && i % 4 === 0);
    left.innerHTML = profilePanel(toy ? toyCurve(r.at) : curves[t.index], ghosts, r);
    left.setAttribute("aria-label", `The discriminator along x: D is ${show(r.d)} at the generator, x = 1.`);
    right.innerHTML = gradientPanel(toy ? toyMarks : trained, toy ? toyLine : trained, r, toy);
    right.setAttribute("aria-label", `Gradient sizes on a logarithmic scale: saturating ${show(r.sat)}, non-saturating ${show(r.ns)}.`);
    ["sat", "ns", "ratio"].forEach((key, i) => {
      cells[2 * i].textContent = show(r[key]);
      cells[2 * i + 1].innerHTML = `${show(r.derived[key])}<small>${FORMULA[t.mode][key]}</small>`;
    });
    sentence.textContent = say(r, toy ? peakOfToy : trainedPeak, toy);
    note.textContent = toy
      ? "Measured here means a difference quotient of the loss at x = 1."
      : `The logit at the generator is a = ${show(r.a)} and its slope a′ = ${show(r.slope)}, both averaged over the line. ` +
        "The derived column uses these two numbers and nothing else; it would be exact if all points of the line had them.";
    Object.assign(root.dataset, { mode: t.mode, at: r.at });
  }

  const steps = (t) => `D-steps: ${whole(trained[t.index].at)}`;
  const fig = figure({ model, el }, {
    ask: "What happens to the generator’s gradient while D gets better?",
    style: STYLE,
    controls: [
      choice("mode", "Which discriminator", {
        trained: "D trained on two parallel lines",
        toy: "the exact toy, D<sub>k</sub>(x) = σ(k(½ − x))",
      }),
      slide("index", steps, { min: 0, max: trained.length - 1, step: 1 }, (t) => t.mode !== "toy"),
      slide("k", (t) => `steepness k = ${t.k}`, K, (t) => t.mode === "toy"),
    ],
    panels: ["", " class='gl-drag'"].map((cls) => `<svg viewBox="0 0 ${W} ${H}" role="img"${cls}></svg>`),
    after: measures("gradient of", [
      `${mark(dot(6, 6, 4, "full"))}saturating<small>log(1 − D)</small>`,
      `${mark(dot(6, 6, 4, "open ns"))}non-saturating<small>−log D</small>`,
      "ratio<small>of the two</small>",
    ]),
    draw,
  });

  drag(fig.panels[1], (x) => {
    const along = Math.min(1, Math.max(0, (x - L - 3) / (W - R - L - 7)));
    if (model.get("mode") === "toy") return fig.put("k", Math.max(K.min, Math.round((along * K.max) / K.step) * K.step));
    const want = along * Math.log1p(trained.at(-1).at);
    const far = (r) => Math.abs(Math.log1p(r.at) - want);
    fig.put("index", trained.reduce((best, r, i) => (far(r) < far(trained[best]) ? i : best), 0));
  });
  return fig.close;
}

export default { render };
