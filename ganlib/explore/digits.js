// What does a conditional generator draw, and what does its discriminator say?  (chapter 15)
//
// The networks that come with ganlib, cgan-mnist and cgan-mnist-D, layer by layer. Every quantity carries its
// derivative along one direction, so that the speed of the image is derived beside the one that is measured.

// ---------------------------------------------------------------- numerics

const CHANNELS = [32, 16], Z = 16, CLASSES = 10, LEAK = 0.2;

/** The tensors in a text: names, shapes and where they lie, then the numbers; whole ones with a scale for each row, or floats. */
export function unpack(text) {
  const [head, body] = text.trim().split("\n"), raw = atob(body), bytes = Uint8Array.from(raw, (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer), out = {};
  for (const { name, shape, at, bits, scales } of JSON.parse(head)) {
    const whole = bits === 8 ? (i) => view.getInt8(at + i) : (i) => view.getInt16(at + 2 * i, true);
    const n = shape.reduce((a, b) => a * b, 1), row = n / shape[0], t = new Float64Array(n);
    for (let i = 0; i < n; i++)
      t[i] = bits === undefined ? view.getFloat32(at + 4 * i, true) : whole(i) * view.getFloat32(scales + 4 * Math.floor(i / row), true);
    out[name] = t;
  }
  return out;
}

// A layer maps { v, d }, a value and its derivative, to the same. `d` may be missing.
const both = (x, f) => ({ v: f(x.v), d: x.d && f(x.d) });

function linear(W, b, x) {
  const I = x.v.length, O = b.length;
  const times = (u, start) => Float64Array.from({ length: O }, (_, o) => {
    let s = start ? b[o] : 0;
    for (let i = 0, w = o * I; i < I; i++) s += W[w + i] * u[i];
    return s;
  });
  return { v: times(x.v, true), d: x.d && times(x.d, false) };
}

function conv(W, b, x, side, size, stride, pad) {
  const O = b.length, I = x.v.length / side ** 2, out = Math.floor((side + 2 * pad - size) / stride) + 1;
  const slide = (u, start) => {
    const y = new Float64Array(O * out * out);
    for (let o = 0; o < O; o++) {
      if (start) y.fill(b[o], o * out * out, (o + 1) * out * out);
      for (let i = 0; i < I; i++) for (let r = 0; r < size; r++) for (let c = 0; c < size; c++) {
        const w = W[((o * I + i) * size + r) * size + c], low = Math.max(0, Math.ceil((pad - c) / stride));
        const high = Math.min(out, Math.floor((side - 1 + pad - c) / stride) + 1);
        for (let j = 0; j < out; j++) {
          const row = j * stride + r - pad;
          if (row < 0 || row >= side) continue;
          const from = (i * side + row) * side + c - pad, to = (o * out + j) * out;
          for (let k = low; k < high; k++) y[to + k] += w * u[from + k * stride];
        }
      }
    }
    return y;
  };
  return { v: slide(x.v, true), d: x.d && slide(x.d, false) };
}

/** Mean 0 and variance 1 over the whole image, then a scale and a shift for each channel (Wu and He 2018, one group). */
function norm(w, b, x) {
  const n = x.v.length, each = n / w.length, mean = (u) => u.reduce((s, e) => s + e, 0) / n;
  const m = mean(x.v), h = x.v.map((e) => e - m), inv = 1 / Math.sqrt(mean(h.map((e) => e * e)) + 1e-5);
  for (let i = 0; i < n; i++) h[i] *= inv;
  const along = x.d && mean(x.d), turn = x.d && mean(x.d.map((e, i) => e * h[i]));
  return {
    v: h.map((e, i) => e * w[Math.floor(i / each)] + b[Math.floor(i / each)]),
    d: x.d && x.d.map((e, i) => (e - along - h[i] * turn) * inv * w[Math.floor(i / each)]),
  };
}

const leaky = (x, slope) => ({ v: x.v.map((e) => (e > 0 ? e : slope * e)), d: x.d && x.d.map((e, i) => (x.v[i] > 0 ? e : slope * e)) });

/** Four channels to one of twice the side (Shi et al. 2016). */
const shuffle = (x, side) => both(x, (u) => {
  const y = new Float64Array(u.length), wide = 2 * side;
  for (let i = 0; i < u.length; i++) {
    const c = Math.floor(i / side ** 2), row = Math.floor(i / side) % side, at = i % side;
    y[(Math.floor(c / 4) * wide + 2 * row + ((c >> 1) & 1)) * wide + 2 * at + (c & 1)] = u[i];
  }
  return y;
});

/** 784 pixels in [-1, 1] from noise and weights of the ten classes. */
export function generate(G, z, y) {
  const join = (u, v) => Float64Array.from([...u, ...v]);
  let x = linear(G["0.weight"], G["0.bias"], { v: join(z.v, y.v), d: z.d && join(z.d, y.d) });
  x = leaky(norm(G["2.weight"], G["2.bias"], x), 0);
  x = shuffle(conv(G["4.weight"], G["4.bias"], x, 7, 3, 1, 1), 7);
  x = leaky(norm(G["6.weight"], G["6.bias"], x), 0);
  x = shuffle(conv(G["8.weight"], G["8.bias"], x, 14, 3, 1, 1), 14);
  const v = x.v.map(Math.tanh);
  return { v, d: x.d && x.d.map((e, i) => e * (1 - v[i] ** 2)) };
}

/** The logit  psi(h(x)) + <e(y), h(x)>,  for the same weights of the classes. */
export function judge(D, x, y) {
  let h = leaky(conv(D["body.0.weight"], D["body.0.bias"], x, 28, 4, 2, 1), LEAK);
  h = leaky(conv(D["body.2.weight"], D["body.2.bias"], h, 14, 4, 2, 1), LEAK);
  h = leaky(linear(D["body.5.weight"], D["body.5.bias"], h), LEAK);
  const W = D["psi.weight"], n = W.length;
  const e = (u) => W.map((_, k) => { let s = 0; for (let c = 0; c < CLASSES; c++) s += u[c] * D["e.weight"][c * n + k]; return s; });
  const dot = (a, b) => a.reduce((s, v, k) => s + v * b[k], 0), ev = e(y.v);
  return { v: D["psi.bias"][0] + dot(W, h.v) + dot(ev, h.v), d: h.d && dot(W, h.d) + dot(ev, h.d) + dot(e(y.d), h.v) };
}

const noise = (seed) => { const u = uniforms(seed); return Float64Array.from({ length: Z }, () => normal(u)); };
/** Noise at t on the arc from A to B, which is as likely as its ends, with one coordinate pushed; and its velocity. */
export function arc(s, t = s.way) {
  const A = noise(s.seed_A), B = noise(s.seed_B), c = Math.cos((Math.PI * t) / 2), w = Math.sin((Math.PI * t) / 2), v = A.map((a, k) => c * a + w * B[k]);
  v[s.coordinate - 1] += s.push;
  return { v, d: A.map((a, k) => (Math.PI / 2) * (c * B[k] - w * a)) };
}
/** The weights of the ten classes at `mix` of the way from one digit to the other. */
export function asked(s, mix = s.mix) {
  const v = new Float64Array(CLASSES);
  v[s.digit] += 1 - mix;
  v[s.other] += mix;
  return { v, d: new Float64Array(CLASSES) };
}

/** Image and logit, and how fast both change along the arc: derived by the chain rule, measured by a small step. */
export function speeds({ G, D }, s, step = 1e-5) {
  const at = (t) => { const x = generate(G, { v: arc(s, t).v }, { v: asked(s).v }); return [x.v, judge(D, x, { v: asked(s).v }).v]; };
  const y = asked(s), x = generate(G, arc(s), y), a = judge(D, x, y), [up, rise] = at(s.way + step), [down, fall] = at(s.way - step);
  return {
    image: x.v, logit: a.v,
    derived: [Math.hypot(...x.d), a.d],
    measured: [Math.hypot(...up.map((e, i) => e - down[i])) / (2 * step), (rise - fall) / (2 * step)],
  };
}

const percent = (a) => `${Math.round(100 * sigmoid(a))}%`;
const whom = (s) => (s.mix === 0 || s.digit === s.other ? `a ${s.digit}` : s.mix === 1 ? `a ${s.other}` : `${Math.round(100 * (1 - s.mix))}% of a ${s.digit} and ${Math.round(100 * s.mix)}% of a ${s.other}`);
/** The sentence below the picture. */
export function say(s, { logit, derived }, logits) {
  const row = { "ten digits": "the ten digits from this noise", "along the noise": "ten places from A to B", "between digits": `ten mixtures of ${s.digit} and ${s.other}` }[s.row];
  return `Asked for ${whom(s)}. D's logit is ${fixed(logit, 2)}: it takes the image for real at ${percent(logit)}. On the right ${row}, with logits from ${fixed(Math.min(...logits), 2)} to ${fixed(Math.max(...logits), 2)}. A step along the noise changes the image at the speed ${show(derived[0])}.`;
}

// ---------------------------------------------------------------- drawing

const BIG = 336, CELL = 84, LINE = 22;
const ROWS = Object.fromEntries(["ten digits", "along the noise", "between digits"].map((name) => [name, name]));

function paint(context, image, x, y, size, small) {
  const picture = small.getContext("2d").createImageData(28, 28);
  image.forEach((v, i) => { const ink = Math.round(127.5 * (1 - v)); picture.data.set([ink, ink, ink, 255], 4 * i); });
  small.getContext("2d").putImageData(picture, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, x, y, size, size);
}

const LOOK = `
.gl-fig canvas{max-width:336px}.gl-fig .gl-ten{max-width:430px}`;
const KEYS = ["digit", "other", "mix", "seed_A", "seed_B", "way", "coordinate", "push", "row"];

function render({ model, el }) {
  const text = model.get("_weights") || document.querySelector('script[data-explore-asset="digits"]')?.textContent;
  if (!text) throw new Error("the generator's weights are not on this page: build the book again");
  const all = unpack(text), part = (letter) => Object.fromEntries(Object.entries(all).filter(([k]) => k[0] === letter).map(([k, t]) => [k.slice(2), t]));
  const nets = { G: part("G"), D: part("D") }, small = document.createElement("canvas");
  small.width = small.height = 28;

  function draw({ panels: [left, right], say: sentence, note, cells, root }, t) {
    const s = Object.fromEntries(KEYS.map((key) => [key, t[key]])), now = speeds(nets, s), style = getComputedStyle(root), start = performance.now();
    paint(left.getContext("2d"), now.image, 0, 0, BIG, small);
    const c = right.getContext("2d");
    c.clearRect(0, 0, right.width, right.height);
    c.fillStyle = style.color;
    c.font = `15px ${style.fontFamily}`;
    c.textAlign = "center";
    const logits = Array.from({ length: 10 }, (_, k) => {
      const z = s.row === "along the noise" ? arc(s, k / 9) : arc(s);
      const y = s.row === "ten digits" ? asked({ digit: k, other: k, mix: 0 }) : s.row === "between digits" ? asked(s, k / 9) : asked(s);
      const x = generate(nets.G, { v: z.v }, { v: y.v }), a = judge(nets.D, x, { v: y.v }).v, left = (k % 5) * CELL, top = Math.floor(k / 5) * (CELL + LINE);
      paint(c, x.v, left + 2, top + 2, CELL - 4, small);
      c.fillText(fixed(a, 2), left + CELL / 2, top + CELL + 15);
      return a;
    });
    const each = (performance.now() - start) / 10;
    left.setAttribute("aria-label", `A generated image: ${whom(s)}, ${Math.round(100 * s.way)}% of the way from noise A to noise B.`);
    right.setAttribute("aria-label", `${s.row}: ten generated images. D's logits are ${logits.map((a) => fixed(a, 2)).join(", ")}.`);
    now.measured.forEach((v, i) => { cells[2 * i].textContent = show(v); cells[2 * i + 1].textContent = show(now.derived[i]); });
    sentence.textContent = say(s, now, logits);
    note.innerHTML = `<span class="gl-time">${fixed(each, 1)}</span> ms for an image and its logit here. The logit of D stands below each image; a discriminator that cannot tell says 0.`;
    Object.assign(root.dataset, { logit: now.logit, measured: now.measured[0], derived: now.derived[0] });
  }

  const fig = figure({ model, el }, {
    ask: "What does a conditional generator draw, and what does its discriminator say?",
    style: LOOK,
    controls: [
      choice("row", "on the right", ROWS),
      slide("digit", (t) => `digit ${t.digit}`, { min: 0, max: 9, step: 1 }),
      slide("other", (t) => `other digit ${t.other}`, { min: 0, max: 9, step: 1 }),
      slide("mix", (t) => `mixed ${Math.round(100 * t.mix)}%`, { min: 0, max: 1, step: 0.05 }),
      slide("way", (t) => `from noise A to B ${Math.round(100 * t.way)}%`, { min: 0, max: 1, step: 0.02 }),
      slide("seed_A", (t) => `noise A: ${t.seed_A}`, { min: 0, max: 99, step: 1 }),
      slide("seed_B", (t) => `noise B: ${t.seed_B}`, { min: 0, max: 99, step: 1 }),
      slide("coordinate", (t) => `coordinate ${t.coordinate} of 16`, { min: 1, max: 16, step: 1 }),
      slide("push", (t) => `pushed by ${fixed(t.push, 1)}`, { min: -3, max: 3, step: 0.1 }),
    ],
    panels: [`<canvas width="${BIG}" height="${BIG}" role="img"></canvas>`, `<canvas width="${5 * CELL}" height="${2 * (CELL + LINE)}" role="img" class="gl-ten"></canvas>`],
    after: measures("from A to B", ["speed of the image", "change of D's logit"]),
    draw,
  });
  fig.repaint = fig.draw;
  return fig.close;
}

export default { render };
