// Small mends: derivations stand on one left edge, formulas are set when they are needed, what scrolls can be reached
// by keyboard, and a link to a box or an equation of the page shows it before one follows it.
"use strict";

// Lines of a derivation stand on a common left edge; all other displays stay centred.
window.MathJax = window.MathJax || {};
window.MathJax.options = Object.assign({}, window.MathJax.options, {
  renderActions: {
    leftLines: [140, (doc) => { for (const item of doc.math) alignLeft(item); }, alignLeft], // before typesetting
    reachable: [210, reach, () => {}], // after it
  },
});

// What is near the window is typeset at once, the rest in idle time, for who reads by ear. Text above the window grows
// meanwhile; a browser that does not hold the place then sets formulas as they come near, and no others.
window.MathJax.startup = Object.assign({}, window.MathJax.startup, {
  pageReady: () => MathJax.startup.defaultPageReady().then(() => {
    if (CSS.supports("overflow-anchor: auto") && window.requestIdleCallback) requestIdleCallback(typesetSome);
  }),
});

function typesetSome() {
  const doc = MathJax.startup.document, waiting = [...document.querySelectorAll("mjx-lazy")].slice(0, 16);
  if (!waiting.length) return;
  for (const marker of waiting) doc.lazySet.add(marker.getAttribute("data-mjx-lazy"));
  doc.lazyHandleSet();
  doc.lazyPromise.then(() => requestIdleCallback(typesetSome));
}

function alignLeft(item) {
  if (!item.display || !item.start.node?.parentElement?.closest(".gll-line")) return;
  item.root.walkTree((node) => {
    if (node.isKind("math") || node.isKind("mtable")) node.attributes.set("indentalign", "left");
  });
}

// A formula in running text that is wider than its line scrolls too; all others stay inline.
function tame() {
  for (const math of document.querySelectorAll("span.math")) {
    const room = math.closest("p, li, td, th, dd, figcaption, summary, div")?.clientWidth ?? innerWidth;
    math.classList.toggle("gll-wide", (math.firstElementChild?.scrollWidth ?? 0) > room);
  }
}

// What is wider than its place scrolls inside itself; the keyboard has to reach it.
function reach() {
  tame();
  for (const box of document.querySelectorAll("div.math, .gll-wide, .pst-scrollable-table-container, .cell_output .text_html, .bd-article pre")) {
    const wide = box.scrollWidth > box.clientWidth + 1;
    if (!wide) {
      box.removeAttribute("tabindex");
    } else if (!box.hasAttribute("tabindex")) {
      box.tabIndex = 0;
      box.classList.add("gll-scroll");
    }
  }
}

// A copy of what a link of this page leads to, below the link, while it has the pointer or the focus. For the eye
// alone: who listens follows the link.
function previews() {
  const article = document.querySelector(".bd-article"), tip = document.createElement("div");
  if (!article) return;
  tip.className = "gll-preview";
  tip.setAttribute("aria-hidden", "true");
  const hide = () => tip.remove();
  const show = (event) => {
    const link = event.target.closest?.('a.reference[href^="#"]');
    if (!link || !article.contains(link)) return;
    const at = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    const box = at?.closest(".gll-box, div.math");
    if (!box || box.contains(link) || box.querySelector("mjx-lazy")) return; // its formulas are not set yet
    const { top, bottom } = box.getBoundingClientRect();
    if (top >= 0 && bottom <= innerHeight) return; // it is in view
    const copy = box.cloneNode(true), place = link.getBoundingClientRect();
    for (const node of [copy, ...copy.querySelectorAll("[id], [tabindex]")]) { node.removeAttribute("id"); node.removeAttribute("tabindex"); }
    tip.replaceChildren(copy);
    document.body.append(tip);
    const left = Math.max(8, Math.min(place.left, innerWidth - tip.offsetWidth - 8));
    const above = place.bottom + tip.offsetHeight + 8 > innerHeight && place.top > tip.offsetHeight + 8;
    tip.style.left = `${scrollX + left}px`;
    tip.style.top = `${scrollY + (above ? place.top - tip.offsetHeight - 8 : place.bottom + 8)}px`;
  };
  if (matchMedia("(hover: hover)").matches) {
    article.addEventListener("pointerover", show);
    article.addEventListener("pointerout", hide);
  }
  article.addEventListener("focusin", (event) => event.target.matches?.(":focus-visible") && show(event));
  article.addEventListener("focusout", hide);
  addEventListener("keydown", (event) => event.key === "Escape" && hide());
}

document.addEventListener("DOMContentLoaded", () => {
  reach();
  previews();
  addEventListener("resize", reach);
  for (const sidebar of document.querySelectorAll(".bd-sidebar-primary")) {
    sidebar.setAttribute("role", "complementary"); // the logo and the search stand in no landmark
    sidebar.setAttribute("aria-label", "The book");
  }
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll(".bd-article details")) details.open = true;
  });
});
