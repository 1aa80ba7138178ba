// What the live figures share: formulas, numbers as in print, strokes, controls bound to traits, the frame.
//
// This text stands before that of each figure, in one module: a module that comes from a Blob imports nothing.

// ---------------------------------------------------------------- formulas

export const sigmoid = (a) => (a >= 0 ? 1 / (1 + Math.exp(-a)) : Math.exp(a) / (1 + Math.exp(a)));
export const softplus = (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)));

// Slope of f at x by central differences, error of order h^4.
export const difference = (f, x, h = 1e-3) =>
  (f(x - 2 * h) - 8 * f(x - h) + 8 * f(x + h) - f(x + 2 * h)) / (12 * h);

// ---------------------------------------------------------------- numbers at random

/** Uniform numbers in [0, 1) from a whole number: a counter through MurmurHash3's last mixing. Python draws the same. */
export function uniforms(seed) {
  let count = seed * 2 ** 22;
  const mix = (h, shift, factor) => Math.imul(h ^ (h >>> shift), factor);
  return () => {
    const h = mix(mix(Math.imul(++count, 0x9e3779b9), 16, 0x85ebca6b), 13, 0xc2b2ae35);
    return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
  };
}
/** A standard normal number from two uniform ones. */
export const normal = (u) => Math.sqrt(-2 * Math.log(1 - u())) * Math.cos(2 * Math.PI * u());

// ---------------------------------------------------------------- numbers as in print

const raised = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

/** Three significant digits: 0.0318, 19.7, 4.16 × 10⁻⁵, with a true minus sign. */
export function show(v) {
  if (v === 0) return "0";
  const m = Math.abs(v);
  if (m >= 0.001 && m < 999.5) return v.toPrecision(3).replace("-", "−");
  const [digits, power] = v.toExponential(2).split("e");
  return `${digits.replace("-", "−")} × 10${[...String(Number(power))].map((c) => raised[c]).join("")}`;
}

/** A fixed number of decimals, with a true minus sign. */
export const fixed = (v, n) => v.toFixed(n).replace("-", "−");

/** A whole number with its thousands apart. */
export const whole = (n) => n.toLocaleString("en-GB");

// ---------------------------------------------------------------- strokes of an SVG, as text

export const between = (a, b, t) => a + (b - a) * t;
const f1 = (v) => v.toFixed(1);
export const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${f1(x)} ${f1(y)}`).join("");
export const word = (x, y, t, extra = "") => `<text x="${f1(x)}" y="${f1(y)}" ${extra}>${t}</text>`;
export const line = (x1, y1, x2, y2, cls) =>
  `<line x1="${f1(x1)}" y1="${f1(y1)}" x2="${f1(x2)}" y2="${f1(y2)}" class="${cls}"/>`;
export const dot = (x, y, r, cls) => `<circle cx="${f1(x)}" cy="${f1(y)}" r="${r}" class="${cls}"/>`;
export const power = (n) => `10<tspan dy="-4" font-size="9">${String(n).replace("-", "−")}</tspan>`;

/** A swatch of twelve pixels for a table or a label. */
export const mark = (inside) => `<svg class="gl-mark" viewBox="0 0 12 12" aria-hidden="true">${inside}</svg>`;
export const DASH = mark(`<path d="M0 7H5M8 7H12" class="derived" style="stroke-dasharray:none"/>`);

// ---------------------------------------------------------------- controls, each bound to one trait
//
// A control is { key, top, build(fig) -> node, show(node, t) }, and `when(t)` if it is there only sometimes.

/** Radio buttons: one of few. `options` maps values to labels. */
export const choice = (key, legend, options) => ({
  key, top: true,
  build(fig) {
    const set = document.createElement("fieldset");
    set.innerHTML = `<legend>${legend}</legend>` + Object.entries(options).map(([value, label]) =>
      `<label><input type="radio" name="${fig.id}-${key}" value="${value}"><span>${label}</span></label>`).join("");
    set.addEventListener("change", (e) => fig.put(key, e.target.value));
    return set;
  },
  show: (set, t) => { for (const b of set.querySelectorAll("input")) b.checked = b.value === t[key]; },
});

/** A drop-down list: one of many. */
export const pick = (key, label, options, when) => ({
  key, top: true, when,
  build(fig) {
    const box = document.createElement("label");
    box.className = "gl-pick";
    box.innerHTML = `<span>${label}</span><select>${Object.entries(options).map(([value, text]) =>
      `<option value="${value}">${text}</option>`).join("")}</select>`;
    box.lastChild.addEventListener("change", (e) => fig.put(key, e.target.value));
    return box;
  },
  show: (box, t) => { box.lastChild.value = t[key]; },
});

const nearest = (list, v) => list.reduce((best, e, i) => (Math.abs(e - v) < Math.abs(list[best] - v) ? i : best), 0);

/** A slider. `text(t)` names its position for eye and ear; `range` is { min, max, step }, a function of t, or a list of values. */
export const slide = (key, text, range, when) => ({
  key, when,
  build(fig) {
    const box = document.createElement("label");
    box.className = "gl-slide";
    box.innerHTML = `<span></span><input type="range">`;
    box.lastChild.addEventListener("input", ({ target: { value } }) => fig.put(key, Array.isArray(range) ? range[value] : Number(value)));
    return box;
  },
  show(box, t) {
    const name = text(t), list = Array.isArray(range) && { min: 0, max: range.length - 1, step: 1, value: nearest(range, t[key]) };
    Object.assign(box.lastChild, list || { ...(typeof range === "function" ? range(t) : range), value: t[key] });
    box.lastChild.setAttribute("aria-valuetext", name.replace(/<[^>]*>/g, ""));
    box.firstChild.innerHTML = name;
  },
});

/** A button that sets something in motion; `label(t)` may change with the state. Who asks for less motion has the sliders. */
export const press = (label, act) => ({
  when: () => !matchMedia("(prefers-reduced-motion: reduce)").matches,
  build(fig) {
    const button = document.createElement("button");
    button.type = "button";
    button.addEventListener("click", () => act(fig));
    return button;
  },
  show: (button, t, fig) => { button.textContent = label(t, fig); },
});

/** A table of what is measured beside what is derived. Rows are HTML names; `fig.cells` holds the cells in order. */
export const measures = (first, rows) => `<table><thead><tr><th scope="col">${first}</th>
<th scope="col">measured</th><th scope="col">${DASH}derived</th></tr></thead><tbody>${rows.map((name) =>
  `<tr><th scope="row">${name}</th><td></td><td></td></tr>`).join("")}</tbody></table>`;

// ---------------------------------------------------------------- the frame

const FRAME = `
.gl-fig{--real:#0072B2;--fake:#D55E00;--critic:#009E73;--other:#7B4FA3;color:inherit;background:transparent;font:inherit;
 font-size:.92rem;line-height:1.45;max-width:54rem;margin:1rem 0;container-type:inline-size;text-align:left}
.gl-fig[data-dark]{--real:#4aa3dc;--fake:#f0843c;--critic:#2cc498;--other:#b592dc}
.gl-fig p{margin:.4rem 0}.gl-fig .gl-ask{font-weight:600;font-size:1.05em;margin-top:0}
.gl-fig .gl-panels{display:grid;gap:.4rem 1.2rem;grid-template-columns:repeat(var(--columns),1fr)}
@container (max-width:560px){.gl-fig .gl-panels{grid-template-columns:1fr}}
.gl-fig .gl-panels svg{display:block;width:100%;height:auto;overflow:visible;font-size:12px}
.gl-fig canvas{display:block;width:100%;height:auto}
.gl-fig svg text{fill:currentColor;font-family:inherit;font-variant-numeric:tabular-nums}
.gl-fig .gl-drag{cursor:ew-resize;touch-action:pan-y}.gl-fig .gl-move{cursor:crosshair;touch-action:none}
.gl-fig .grid{stroke:currentColor;stroke-opacity:.14}.gl-fig .tick{stroke:currentColor;stroke-opacity:.5}
.gl-fig .axis{stroke:currentColor;stroke-opacity:.5;fill:none}
.gl-fig .cursor{stroke:currentColor;stroke-opacity:.45}
.gl-fig path{fill:none}.gl-fig .critic{stroke:var(--critic);stroke-width:2.6;stroke-linejoin:round}
.gl-fig .ghost{stroke-width:1.2;stroke-opacity:.38}
.gl-fig .derived{stroke:currentColor;stroke-width:1.4;stroke-dasharray:5 4;fill:none}
.gl-fig .full{fill:var(--fake)}.gl-fig .open{fill:none;stroke:var(--fake);stroke-width:1.6}
.gl-fig .full.now{stroke:currentColor;stroke-width:1.4}.gl-fig .open.now{stroke-width:3}
.gl-fig fieldset{border:0;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:.1rem 1.2rem}
.gl-fig .gl-top{display:flex;flex-wrap:wrap;gap:.1rem 1.6rem;margin:0 0 .5rem}
.gl-fig legend{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.gl-fig label{display:flex;align-items:center;gap:.45rem;margin:0;min-height:1.9rem;cursor:pointer}
.gl-fig input,.gl-fig select{accent-color:var(--critic);margin:0}
.gl-fig[data-dark] :is(input,select,button){color-scheme:dark}
.gl-fig :is(select,button){font:inherit;color:inherit;background:transparent;border-radius:4px;padding:.15rem .5rem;min-height:1.9rem;
 border:1px solid color-mix(in srgb,currentColor 55%,transparent);max-width:100%}
.gl-fig option{color:#222;background:#fff}.gl-fig button{cursor:pointer}
.gl-fig input[type=range]{appearance:none;background:transparent;cursor:pointer}
.gl-fig input::-webkit-slider-runnable-track{height:3px;border-radius:2px;background:color-mix(in srgb,currentColor 55%,transparent)}
.gl-fig input::-moz-range-track{height:3px;border-radius:2px;background:color-mix(in srgb,currentColor 55%,transparent)}
.gl-fig input::-webkit-slider-thumb{appearance:none;width:20px;height:20px;margin-top:-8.5px;border:0;border-radius:50%;background:var(--critic)}
.gl-fig input::-moz-range-thumb{width:20px;height:20px;border:0;border-radius:50%;background:var(--critic)}
@media (forced-colors:active){.gl-fig input[type=range]{appearance:auto}}
.gl-fig .gl-low{display:flex;flex-wrap:wrap;gap:.1rem 1.4rem;align-items:center;margin:.5rem 0}
.gl-fig .gl-slide{gap:.8rem;min-width:0;min-height:2.4rem;flex:1 1 17rem}
.gl-fig sub{font-size:.72em}.gl-fig .gl-slide span{min-width:9.5em;font-variant-numeric:tabular-nums}
.gl-fig .gl-slide input{flex:1;min-width:0;height:1.6rem}
.gl-fig :focus-visible{outline:2px solid var(--real);outline-offset:3px;border-radius:3px}
.gl-fig .gl-say{min-height:4.4em}
.gl-fig table{display:table;width:100%;border-collapse:collapse;margin:.3rem 0 0;font-size:.94em;font-variant-numeric:tabular-nums;
 background:transparent;color:inherit}
.gl-fig th,.gl-fig td{text-align:left;vertical-align:baseline;font-weight:400;padding:.25rem .6rem .25rem 0;border:0;
 border-bottom:1px solid color-mix(in srgb,currentColor 18%,transparent);background:transparent;color:inherit}
.gl-fig thead th{font-weight:600;white-space:nowrap}
.gl-fig td small,.gl-fig tbody th small{display:block;opacity:.8;font-size:.88em;white-space:nowrap}
.gl-fig tbody th:has(svg) small{margin-left:calc(12px + .4em)}
.gl-fig .gl-note{font-size:.9em;opacity:.85}
.gl-fig .gl-mark{display:inline-block;width:12px;height:12px;vertical-align:-1px;margin-right:.4em}
.gl-fig sup{font-size:.72em;line-height:0}
@media print{.gl-fig{color:#000}.gl-fig :is(.gl-top,.gl-low){display:none}}
`;

/**
 * Build a figure in `el` and draw it whenever a trait changes.
 *
 * ask: the question above it. controls: see above. panels: HTML of each panel (svg or canvas).
 * after: HTML below the sentence, such as `measures`. also: further traits that it is drawn from.
 * draw(fig, t): puts the picture in `fig.panels`, the sentence in `fig.say`, numbers in `fig.cells`.
 *
 * Returns the figure: { id, root, panels, say, note, cells, traits, put, draw, own, close }. Pass what must end
 * with the figure to `own`; `render` returns `close`.
 */
export function figure({ model, el }, { ask, style = "", controls = [], panels, after = "", also = [], draw }) {
  const root = document.createElement("div"), ends = [];
  const fig = { id: `gl-${Math.random().toString(36).slice(2)}`, root }; // two figures on a page must not share buttons
  root.className = "gl-fig";
  root.setAttribute("role", "group");
  // JupyterLab would take the arrow keys from what has the focus, unless that says no.
  root.addEventListener("focusin", (e) => e.target.setAttribute("data-lm-suppress-shortcuts", "true"));
  root.setAttribute("aria-labelledby", `${fig.id}-ask`);
  root.innerHTML = `<style>${FRAME}${style}</style><p class="gl-ask" id="${fig.id}-ask">${ask}</p><div class="gl-top"></div>
<div class="gl-panels" style="--columns:${panels.length}">${panels.join("")}</div><div class="gl-low"></div>
<p class="gl-say" aria-live="polite" aria-atomic="true"></p>${after}<p class="gl-note"></p>`;
  const find = (q) => root.querySelector(q);
  Object.assign(fig, {
    panels: [...find(".gl-panels").children], say: find(".gl-say"), note: find(".gl-note"), cells: [...root.querySelectorAll("td")],
    traits: new Proxy({}, { get: (_, key) => model.get(key) }),
    put(key, value) { model.set(key, value); model.save_changes(); },
    own: (end) => ends.push(end),
    close() { for (const end of ends) end(); },
  });

  const built = controls.map((c) => ({ ...c, node: c.build(fig), place: document.createComment("") }));
  for (const c of built) find(c.top ? ".gl-top" : ".gl-low").append(c.place);
  fig.draw = () => {
    const t = fig.traits;
    for (const { node, place, when, show } of built) {
      const there = !when || when(t);
      if (!there) node.remove();
      else if (!node.parentNode) place.after(node);
      if (there) show(node, t, fig);
    }
    draw(fig, t);
  };

  // The figure inherits the page's ink, so it is dark exactly when the ink is light: in the book, in Jupyter and in Colab.
  function shade() {
    const ink = getComputedStyle(root).color.match(/[\d.]+/g); // null until the host has put the figure on the page
    if (!ink) return;
    const [r, g, b] = ink.map(Number), dark = 0.299 * r + 0.587 * g + 0.114 * b > 128;
    if (root.toggleAttribute("data-dark", dark) !== fig.dark) { fig.dark = dark; fig.repaint?.(); }
  }
  const watch = new MutationObserver(shade), placed = new ResizeObserver(shade);
  const system = matchMedia("(prefers-color-scheme: dark)");
  placed.observe(root);
  for (const node of [document.documentElement, document.body]) watch.observe(node, { attributes: true });
  system.addEventListener("change", shade);
  fig.own(() => { watch.disconnect(); placed.disconnect(); system.removeEventListener("change", shade); });

  for (const key of [...new Set([...controls.map((c) => c.key).filter(Boolean), ...also])]) {
    model.on(`change:${key}`, fig.draw);
    fig.own(() => model.off(`change:${key}`, fig.draw));
  }
  el.append(root);
  fig.draw();
  return fig;
}

/** Call `move(x, y, first)` in the units of the SVG's view box while a pointer is down on it; `first` as it comes down. */
export function drag(svg, move) {
  const at = (e) => {
    if (e.type === "pointermove" && !(e.buttons & 1)) return;
    const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
    move(((e.clientX - box.left) / box.width) * view.width, ((e.clientY - box.top) / box.height) * view.height, e.type === "pointerdown");
  };
  svg.addEventListener("pointerdown", at);
  svg.addEventListener("pointermove", at);
}

/** Call `move(dx, dy)` with -1, 0 or 1 when an arrow key is pressed on a panel that has the focus; dy is 1 upwards. */
export function arrows(panel, move) {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  panel.addEventListener("keydown", (e) => {
    if (!way[e.key]) return;
    e.preventDefault(); // the page would scroll
    move(...way[e.key]);
  });
}

/** Run `step()` once for each frame until it returns false or the figure closes; `toggle` starts and stops it. */
export function loop(fig, step) {
  let frame = 0;
  const turn = () => {
    frame = requestAnimationFrame(turn);
    if (step() === false) player.stop();
  };
  const player = {
    get running() { return frame !== 0; },
    start() { if (!frame) frame = requestAnimationFrame(turn); },
    stop() { cancelAnimationFrame(frame); frame = 0; fig.draw(); },
    toggle() { frame ? player.stop() : (player.start(), fig.draw()); },
  };
  fig.own(() => cancelAnimationFrame(frame));
  return player;
}
