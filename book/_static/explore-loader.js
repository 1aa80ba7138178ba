/* Mounts the live figures of a page from the widget state its notebook stored: no kernel, no request, file:// too.
   The page holds the state (widget-state+json), a marker where each figure goes (widget-view+json) and the text of
   each module (script[data-explore]), which is imported from a Blob because file:// allows nothing else. */
(function () {
  "use strict";
  const script = (kind) => `script[type="application/vnd.jupyter.widget-${kind}+json"]`;

  class Model { // the part of an AnyWidget model that a figure uses
    constructor(state) { this.state = { ...state }; this.heard = new Map(); }
    get(key) { return this.state[key]; }
    set(key, value) {
      if (this.state[key] === value) return;
      this.state[key] = value;
      for (const f of [...(this.heard.get(`change:${key}`) ?? [])]) f();
    }
    on(event, f) { this.heard.set(event, (this.heard.get(event) ?? new Set()).add(f)); }
    off(event, f) { this.heard.get(event)?.delete(f); }
    save_changes() {}
  }

  const modules = new Map();
  function load(name) {
    if (!modules.has(name)) {
      const texts = ["kit", name].map((part) => document.querySelector(`script[data-explore="${part}"]`).textContent);
      const url = URL.createObjectURL(new Blob(texts, { type: "text/javascript" }));
      modules.set(name, import(url));
    }
    return modules.get(name);
  }

  // The live figure stands where its still picture stood; paper keeps the picture.
  async function mount(view, model) {
    const figure = await load(model.get("_module"));
    const before = [...(view.closest(".cell_output") ?? view.parentElement).querySelectorAll("img")]
      .filter((img) => img.compareDocumentPosition(view) & Node.DOCUMENT_POSITION_FOLLOWING);
    const still = before.at(-1), el = document.createElement("div");
    el.className = "gl-live";
    if (still) still.before(el); else view.before(el);
    await figure.default.render({ model, el });
    still?.classList.add("gl-still");
    el.dataset.ready = "";
  }

  function start() {
    const stored = document.querySelector(script("state"));
    if (!stored) return;
    const style = document.createElement("style");
    style.textContent = "@media screen{.gl-still{display:none!important}}@media print{.gl-live:has(~.gl-still){display:none}}";
    document.head.append(style);
    const models = new Map();
    for (const [id, { state }] of Object.entries(JSON.parse(stored.textContent).state))
      if (state._module) models.set(id, new Model(state));
    for (const view of document.querySelectorAll(script("view"))) {
      const model = models.get(JSON.parse(view.textContent).model_id);
      if (!model || "explore" in view.dataset) continue; // the loader may be linked twice
      view.dataset.explore = "";
      mount(view, model).catch((error) => console.error("live figure:", error));
    }
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
