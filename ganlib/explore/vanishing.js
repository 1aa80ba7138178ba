// What happens to the generator's gradient while the discriminator gets better?  (chapter 6)
//
// An AnyWidget module. It imports nothing, because anywidget and the book both load it from a Blob.
// The numerics are exported pure functions; tests compare them with Python.

// ---------------------------------------------------------------- numerics

export const sigmoid = (a) => (a >= 0 ? 1 / (1 + Math.exp(-a)) : Math.exp(a) / (1 + Math.exp(a)));
export const softplus = (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)));

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

// Slope of f at x by central differences, error of order h^4.
export const difference = (f, x, h = 1e-3) =>
  (f(x - 2 * h) - 8 * f(x - h) + 8 * f(x + h) - f(x + 2 * h)) / (12 * h);

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

const raised = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

/** Three significant digits: 0.0318, 19.7, 4.16 × 10⁻⁵, with a true minus sign. */
export function show(v) {
  if (v === 0) return "0";
  const m = Math.abs(v);
  if (m >= 0.001 && m < 999.5) return v.toPrecision(3).replace("-", "−");
  const [digits, power] = v.toExponential(2).split("e");
  return `${digits.replace("-", "−")} × 10${[...String(Number(power))].map((c) => raised[c]).join("")}`;
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
const between = (a, b, t) => a + (b - a) * t;
const f1 = (v) => v.toFixed(1);
const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${f1(x)} ${f1(y)}`).join("");
const word = (x, y, t, extra = "") => `<text x="${f1(x)}" y="${f1(y)}" ${extra}>${t}</text>`;
const line = (x1, y1, x2, y2, cls) =>
  `<line x1="${f1(x1)}" y1="${f1(y1)}" x2="${f1(x2)}" y2="${f1(y2)}" class="${cls}"/>`;
const dot = (x, y, r, cls) => `<circle cx="${f1(x)}" cy="${f1(y)}" r="${r}" class="${cls}"/>`;
const power = (n) => `10<tspan dy="-4" font-size="9">${String(n).replace("-", "−")}</tspan>`;

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
    rows.map((v) => dot(X(v.at), Y(v.sat), 2.8, "fake full") + dot(X(v.at), Y(v.ns), 2.8, "fake open")).join("") +
    derived("sat") + derived("ns") +
    dot(X(now.at), Y(now.sat), 5, "fake full now") + dot(X(now.at), Y(now.ns), 5, "fake open now") +
    word(X(end.at), Y(end.derived.ns) - 10, "non-saturating", 'text-anchor="end"') +
    word(X(end.at) - 24, Y(end.derived.sat) + 3, "saturating", 'text-anchor="end"') +
    word(L + 4, T - 5, "size of the generator’s gradient");
}

const STYLE = `
.gl-fig{--real:#0072B2;--fake:#D55E00;--critic:#009E73;color:inherit;background:transparent;font:inherit;font-size:.92rem;
 line-height:1.45;max-width:54rem;margin:1rem 0;container-type:inline-size;text-align:left}
.gl-fig[data-dark]{--real:#4aa3dc;--fake:#f0843c;--critic:#2cc498}
.gl-fig p{margin:.4rem 0}.gl-fig .gl-ask{font-weight:600;font-size:1.05em;margin-top:0}
.gl-fig .gl-panels{display:grid;gap:.4rem 1.2rem;grid-template-columns:1fr 1fr}
@container (max-width:560px){.gl-fig .gl-panels{grid-template-columns:1fr}}
.gl-fig svg{display:block;width:100%;height:auto;overflow:visible;font-size:12px}
.gl-fig svg text{fill:currentColor;font-family:inherit;font-variant-numeric:tabular-nums}
.gl-fig .gl-drag{cursor:ew-resize;touch-action:pan-y}
.gl-fig .grid{stroke:currentColor;stroke-opacity:.14}.gl-fig .tick{stroke:currentColor;stroke-opacity:.5}
.gl-fig .cursor{stroke:currentColor;stroke-opacity:.45}
.gl-fig .data{stroke:var(--real);stroke-width:4;stroke-linecap:round}
.gl-fig .thin{stroke:var(--fake);stroke-width:4;stroke-linecap:round}
.gl-fig path{fill:none}.gl-fig .critic{stroke:var(--critic);stroke-width:2.6;stroke-linejoin:round}
.gl-fig .ghost{stroke-width:1.2;stroke-opacity:.38}
.gl-fig .tangent{stroke:currentColor;stroke-width:1.6;stroke-linecap:round}
.gl-fig .derived{stroke:currentColor;stroke-width:1.4;stroke-dasharray:5 4}
.gl-fig .full{fill:var(--fake)}.gl-fig .open{fill:none;stroke:var(--fake);stroke-width:1.6}
.gl-fig .full.now{stroke:currentColor;stroke-width:1.4}.gl-fig .open.now{stroke-width:3}
.gl-fig fieldset{border:0;margin:0 0 .5rem;padding:0;display:flex;flex-wrap:wrap;gap:.1rem 1.2rem}
.gl-fig legend{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.gl-fig label{display:flex;align-items:center;gap:.45rem;margin:0;min-height:1.9rem;cursor:pointer}
.gl-fig input{accent-color:var(--critic);margin:0}.gl-fig[data-dark] input{color-scheme:dark}
.gl-fig input[type=range]{appearance:none;background:transparent;cursor:pointer}
.gl-fig input::-webkit-slider-runnable-track{height:3px;border-radius:2px;background:color-mix(in srgb,currentColor 55%,transparent)}
.gl-fig input::-moz-range-track{height:3px;border-radius:2px;background:color-mix(in srgb,currentColor 55%,transparent)}
.gl-fig input::-webkit-slider-thumb{appearance:none;width:20px;height:20px;margin-top:-8.5px;border:0;border-radius:50%;background:var(--critic)}
.gl-fig input::-moz-range-thumb{width:20px;height:20px;border:0;border-radius:50%;background:var(--critic)}
@media (forced-colors:active){.gl-fig input[type=range]{appearance:auto}}
.gl-fig .gl-slide{gap:.8rem;margin:.5rem 0;min-height:2.4rem}
.gl-fig sub{font-size:.72em}.gl-fig .gl-slide span{min-width:9.5em;font-variant-numeric:tabular-nums}.gl-fig .gl-slide input{flex:1;min-width:0;height:1.6rem}
.gl-fig :focus-visible{outline:2px solid var(--real);outline-offset:3px;border-radius:3px}
.gl-fig .gl-say{min-height:4.4em}
.gl-fig table{display:table;width:100%;border-collapse:collapse;margin:.3rem 0 0;font-size:.94em;font-variant-numeric:tabular-nums;
 background:transparent;color:inherit}
.gl-fig th,.gl-fig td{text-align:left;vertical-align:baseline;font-weight:400;padding:.25rem .6rem .25rem 0;border:0;
 border-bottom:1px solid color-mix(in srgb,currentColor 18%,transparent);background:transparent;color:inherit}
.gl-fig thead th{font-weight:600}.gl-fig td small,.gl-fig tbody th small{display:block;opacity:.8;font-size:.88em;white-space:nowrap}
.gl-fig thead th{white-space:nowrap}.gl-fig tbody th:has(svg) small{margin-left:calc(12px + .4em)}
.gl-fig .gl-note{font-size:.9em;opacity:.85}
.gl-fig .gl-mark{display:inline-block;width:12px;height:12px;vertical-align:-1px;margin-right:.4em}
.gl-fig sup{font-size:.72em;line-height:0}
@media print{.gl-fig{color:#000}.gl-fig fieldset,.gl-fig .gl-slide{display:none}}
`;

const mark = (cls) => `<svg class="gl-mark" viewBox="0 0 12 12" aria-hidden="true">${dot(6, 6, 4, cls)}</svg>`;
const dash = `<svg class="gl-mark" viewBox="0 0 12 12" aria-hidden="true"><path d="M0 7H5M8 7H12" class="derived" style="stroke-dasharray:none"/></svg>`;
const FORMULA = {
  trained: { sat: "σ(a) |a′|", ns: "σ(−a) |a′|", ratio: "e<sup>a</sup>" },
  toy: { sat: "k / (1 + e<sup>k/2</sup>)", ns: "k / (1 + e<sup>−k/2</sup>)", ratio: "e<sup>−k/2</sup>" },
};

function render({ model, el }) {
  const id = `gl-${Math.random().toString(36).slice(2)}`; // two figures on a page must not share their radio buttons
  const traits = Object.fromEntries(["steps", "sat", "ns", "logit", "slope", "grid"].map((n) => [n, model.get(n)]));
  const curves = model.get("profile").split("\n").map((l) => l.split(" ").map((d, i) => [traits.grid[i], Number(d)]));
  const trained = trainedRows(traits), toyMarks = ladder.map(toyRow);
  const toyLine = Array.from({ length: (K.max - K.min) / K.step + 1 }, (_, i) => toyRow(K.min + i * K.step));
  const trainedPeak = trained.reduce((p, r) => (r.sat > p.sat ? r : p)), peakOfToy = toyRow(toyPeak());
  const toyCurve = (k) => traits.grid.map((x) => [x, sigmoid(toyLogit(k, x))]);

  const root = document.createElement("div");
  root.className = "gl-fig";
  root.setAttribute("role", "group");
  root.setAttribute("aria-labelledby", `${id}-ask`);
  root.innerHTML = `<style>${STYLE}</style>
<p class="gl-ask" id="${id}-ask">What happens to the generator’s gradient while D gets better?</p>
<fieldset><legend>Which discriminator</legend>
<label><input type="radio" name="${id}-mode" value="trained"><span>D trained on two parallel lines</span></label>
<label><input type="radio" name="${id}-mode" value="toy"><span>the exact toy, D<sub>k</sub>(x) = σ(k(½ − x))</span></label></fieldset>
<div class="gl-panels"><svg viewBox="0 0 ${W} ${H}" role="img"></svg><svg viewBox="0 0 ${W} ${H}" role="img" class="gl-drag"></svg></div>
<label class="gl-slide"><span></span><input type="range"></label>
<p class="gl-say" aria-live="polite" aria-atomic="true"></p>
<table><thead><tr><th scope="col">gradient of</th><th scope="col">measured</th><th scope="col">${dash}derived</th></tr></thead><tbody>
<tr><th scope="row">${mark("fake full")}saturating<small>log(1 − D)</small></th><td></td><td></td></tr>
<tr><th scope="row">${mark("fake open")}non-saturating<small>−log D</small></th><td></td><td></td></tr>
<tr><th scope="row">ratio<small>of the two</small></th><td></td><td></td></tr></tbody></table>
<p class="gl-note"></p>`;
  el.append(root);
  const find = (q) => root.querySelector(q);
  const [left, right] = root.querySelectorAll(".gl-panels svg");
  const slider = find("input[type=range]"), cells = root.querySelectorAll("td"), radios = root.querySelectorAll("input[type=radio]");

  function draw() {
    const mode = model.get("mode"), toy = mode === "toy", index = model.get("index");
    const r = toy ? toyRow(model.get("k")) : trained[index];
    const peak = toy ? peakOfToy : trainedPeak;
    for (const b of radios) b.checked = b.value === mode;
    Object.assign(slider, toy ? { min: K.min, max: K.max, step: K.step } : { min: 0, max: trained.length - 1, step: 1 });
    slider.value = toy ? r.at : index;
    const name = toy ? `steepness k = ${r.at}` : `D-steps: ${r.at.toLocaleString("en-GB")}`;
    slider.setAttribute("aria-valuetext", name);
    find(".gl-slide span").textContent = name;
    const ghosts = toy ? [K.min, 2.5, 10].map(toyCurve) : curves.filter((_, i) => i < index && i % 4 === 0);
    left.innerHTML = profilePanel(toy ? toyCurve(r.at) : curves[index], ghosts, r);
    left.setAttribute("aria-label", `The discriminator along x: D is ${show(r.d)} at the generator, x = 1.`);
    right.innerHTML = gradientPanel(toy ? toyMarks : trained, toy ? toyLine : trained, r, toy);
    right.setAttribute("aria-label", `Gradient sizes on a logarithmic scale: saturating ${show(r.sat)}, non-saturating ${show(r.ns)}.`);
    ["sat", "ns", "ratio"].forEach((key, i) => {
      cells[2 * i].textContent = show(r[key]);
      cells[2 * i + 1].innerHTML = `${show(r.derived[key])}<small>${FORMULA[mode][key]}</small>`;
    });
    find(".gl-say").textContent = say(r, peak, toy);
    find(".gl-note").textContent = toy
      ? "Measured here means a difference quotient of the loss at x = 1."
      : `The logit at the generator is a = ${show(r.a)} and its slope a′ = ${show(r.slope)}, both averaged over the line. ` +
        "The derived column uses these two numbers and nothing else; it would be exact if all points of the line had them.";
    Object.assign(root.dataset, { mode, at: r.at });
  }

  const put = (key, value) => { model.set(key, value); model.save_changes(); };
  const choose = (value) => (model.get("mode") === "toy" ? put("k", Number(value)) : put("index", Number(value)));
  slider.addEventListener("input", () => choose(slider.value));
  for (const b of radios) b.addEventListener("change", () => put("mode", b.value));
  function point(e) {
    if (e.type === "pointermove" && !(e.buttons & 1)) return;
    const box = right.getBoundingClientRect(), x = ((e.clientX - box.left) / box.width) * W;
    const t = Math.min(1, Math.max(0, (x - L - 3) / (W - R - L - 7)));
    if (model.get("mode") === "toy") return choose(Math.max(K.min, Math.round((t * K.max) / K.step) * K.step));
    const want = t * Math.log1p(trained.at(-1).at);
    const far = (r) => Math.abs(Math.log1p(r.at) - want);
    choose(trained.reduce((best, r, i) => (far(r) < far(trained[best]) ? i : best), 0));
  }
  right.addEventListener("pointerdown", point);
  right.addEventListener("pointermove", point);

  // The figure inherits the page's ink, so it is dark exactly when the ink is light: in the book, in Jupyter and in Colab.
  function shade() {
    const ink = getComputedStyle(root).color.match(/[\d.]+/g); // null until the host has put the figure on the page
    if (!ink) return;
    const [r, g, b] = ink.map(Number);
    root.toggleAttribute("data-dark", 0.299 * r + 0.587 * g + 0.114 * b > 128);
  }
  const watch = new MutationObserver(shade), placed = new ResizeObserver(shade);
  const system = matchMedia("(prefers-color-scheme: dark)");
  placed.observe(root);
  for (const node of [document.documentElement, document.body]) watch.observe(node, { attributes: true });
  system.addEventListener("change", shade);

  const keys = ["mode", "index", "k"];
  for (const key of keys) model.on(`change:${key}`, draw);
  draw();
  return () => {
    for (const key of keys) model.off(`change:${key}`, draw);
    watch.disconnect();
    placed.disconnect();
    system.removeEventListener("change", shade);
  };
}

export default { render };
