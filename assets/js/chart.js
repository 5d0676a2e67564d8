// Drag over the histogram to set the period; a plain click on a bar follows its link.

import { question } from "./swap.js";

const NS = "http://www.w3.org/2000/svg";

/** @type {{chart: SVGSVGElement, from: number, rect: SVGRectElement, moved: boolean} | null} */
let drag = null;

/**
 * Where on the chart the pointer is, 0 to 1.
 * @param {SVGSVGElement} chart
 * @param {PointerEvent} event
 */
function at(chart, event) {
  const box = chart.getBoundingClientRect();
  return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
}

/**
 * The edges of the bars, as RFC 3339, the end of the chart last.
 * @param {SVGSVGElement} chart
 */
const edges = (chart) => [...chart.querySelectorAll("a[data-from]")].map((bar) => bar.getAttribute("data-from") ?? "").concat(chart.dataset.to ?? "");

export function start() {
  document.addEventListener("pointerdown", (event) => {
    const chart = event.target instanceof Element ? event.target.closest("svg.chart") : null;
    if (!(chart instanceof SVGSVGElement) || event.button !== 0) return;
    event.preventDefault();
    const rect = document.createElementNS(NS, "rect");
    rect.setAttribute("class", "drag");
    rect.setAttribute("height", "96");
    drag = { chart, from: at(chart, event), rect, moved: false };
  });
  document.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const to = at(drag.chart, event);
    if (!drag.moved && Math.abs(to - drag.from) * drag.chart.clientWidth < 5) return;
    if (!drag.moved) drag.chart.append(drag.rect);
    drag.moved = true;
    drag.chart.classList.add("dragging");
    drag.rect.setAttribute("x", `${100 * Math.min(drag.from, to)}%`);
    drag.rect.setAttribute("width", `${100 * Math.abs(to - drag.from)}%`);
  });
  document.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const { chart, from, rect, moved } = drag;
    drag = null;
    chart.classList.remove("dragging");
    rect.remove();
    if (!moved) return;
    const all = edges(chart);
    const ends = [from, at(chart, event)].sort((a, b) => a - b);
    const first = Math.floor((ends[0] ?? 0) * (all.length - 1));
    const last = Math.max(first + 1, Math.ceil((ends[1] ?? 1) * (all.length - 1)));
    addEventListener("click", (click) => { click.preventDefault(); click.stopPropagation(); }, { capture: true, once: true });
    setTimeout(() => look(all[first] ?? "", all[last] ?? ""));
  });
}

/**
 * @param {string} from
 * @param {string} to
 */
function look(from, to) {
  const form = document.getElementById("ask");
  if (!(form instanceof HTMLFormElement) || !from || !to) return;
  const address = question(form);
  for (const name of ["period", "tz", "from", "to"]) address.searchParams.delete(name);
  address.searchParams.set("from", from);
  address.searchParams.set("to", to);
  location.assign(address);
}
