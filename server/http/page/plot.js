// The plot of a model's variants, drawn by Chart.js: latency to the right, accuracy upwards, the
// file's size as area.

import { element, svgElement } from "./elements.js";
import * as format from "./format.js";
import { placeLabels } from "./plot_labels.js";

const RADIUS_SHARE = 0.052; // of the plot's width: the largest circle
const RADIUS_MAX = 34; // pixels
const ACCURACY_SPAN_MIN = 0.02; // of the vertical axis: noise is not drawn as a cliff

// Areas in proportion to bytes.
export function radii(points, width) {
  const most = Math.max(...points.map((point) => point.bytes));
  const largest = Math.min(RADIUS_MAX, RADIUS_SHARE * width);
  return points.map((point) => largest * Math.sqrt(point.bytes / most));
}

// Ends of the vertical axis in percent, with room for the circles.
export function accuracyRange(points) {
  const values = points.map((point) => 100 * point.accuracy);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = Math.max(0.35 * (high - low), (100 * ACCURACY_SPAN_MIN - (high - low)) / 2);
  return { min: low - room, max: high + room };
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  return {
    text: read("--text"),
    quiet: read("--quiet"),
    line: read("--line"),
    surface: read("--surface"),
    series: (number) => read(`--series-${number}`),
  };
}

function withAlpha(hex, alpha) {
  return hex + Math.round(255 * alpha).toString(16).padStart(2, "0");
}

function describe(point, accuracyName) {
  return `${point.variant}: ${format.milliseconds(point.latency)} ms, ${accuracyName.toLowerCase()} ` +
    `${format.percent(point.accuracy)}, file ${format.bytes(point.bytes)}`;
}

// Draws beside each circle the name of its variant.
function namesPlugin(points, colour) {
  return {
    id: "names",
    afterDatasetsDraw(chart) {
      const { ctx, chartArea } = chart;
      ctx.save();
      ctx.font = `600 13px ${chart.options.font.family}`;
      ctx.fillStyle = colour;
      ctx.textBaseline = "middle";
      const circles = points.map((point, index) => {
        const { x, y } = chart.getDatasetMeta(index).data[0].getProps(["x", "y"], true);
        return { x, y, r: chart.data.datasets[index].data[0].r, width: ctx.measureText(point.variant).width };
      });
      placeLabels(circles, 16, chartArea).forEach((box, index) =>
        ctx.fillText(points[index].variant, box.left, (box.top + box.bottom) / 2));
      ctx.restore();
    },
  };
}

function axis(title, colour, more) {
  return {
    title: { display: true, text: title, color: colour.text, font: { size: 13 } },
    grid: { color: colour.line, borderColor: colour.quiet, tickColor: colour.line },
    ...more,
    ticks: { color: colour.quiet, includeBounds: false, maxRotation: 0, ...more.ticks },
  };
}

function configuration(points, accuracyName, width) {
  const colour = colours();
  const radius = radii(points, width);
  return {
    type: "bubble",
    data: {
      datasets: points.map((point, index) => ({
        label: point.variant,
        data: [{ x: point.latency, y: 100 * point.accuracy, r: radius[index] }],
        backgroundColor: withAlpha(colour.series(point.series), 0.45),
        hoverBackgroundColor: withAlpha(colour.series(point.series), 0.65),
        borderColor: colour.series(point.series),
        borderWidth: 2,
        hoverBorderWidth: 3,
        hoverRadius: 0,
        clip: false,
      })),
    },
    options: {
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      font: { family: getComputedStyle(document.body).fontFamily },
      layout: { padding: { top: 8, right: 8 } },
      scales: {
        x: axis("Latency p50, ms", colour, {
          min: 0,
          max: 1.2 * Math.max(...points.map((point) => point.latency)),
          ticks: { maxTicksLimit: 8 },
        }),
        y: axis(`${accuracyName}, %`, colour, {
          ...accuracyRange(points),
          ticks: { maxTicksLimit: 7, callback: (value) => (value > 100 || value < 0 ? null : +value.toFixed(3)) },
        }),
      },
      plugins: {
        legend: { display: false },
        tooltip: {
          backgroundColor: colour.text,
          titleColor: colour.surface,
          bodyColor: colour.surface,
          displayColors: false,
          callbacks: {
            title: (items) => items.map(({ datasetIndex }) => points[datasetIndex].variant).join(", "),
            label: ({ datasetIndex }) => {
              const point = points[datasetIndex];
              return [`p50 ${format.milliseconds(point.latency)} ms`,
                `${accuracyName} ${format.percent(point.accuracy)}`, `file ${format.bytes(point.bytes)}`];
            },
          },
        },
      },
    },
    plugins: [namesPlugin(points, colour.text)],
  };
}

// The arrow keys go from circle to circle, in order of latency, and show its figures.
function listenToKeys(canvas, points, chartOf) {
  const order = points.map((_, index) => index).sort((a, b) => points[a].latency - points[b].latency);
  let at = -1;
  const activate = (chart, active) => {
    chart.setActiveElements(active);
    chart.tooltip.setActiveElements(active, { x: 0, y: 0 });
    chart.update();
  };
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    at = at < 0 ? (step > 0 ? 0 : order.length - 1) : (at + step + order.length) % order.length;
    activate(chartOf(), [{ datasetIndex: order[at], index: 0 }]);
  });
  canvas.addEventListener("blur", () => {
    if (at >= 0) activate(chartOf(), []);
    at = -1;
  });
}

// Names, sizes and circles as large as in the plot.
function fillLegend(legend, points, width) {
  const radius = radii(points, width);
  legend.replaceChildren(...points.map((point, index) => {
    const half = radius[index] + 2;
    const box = { width: 2 * half, height: 2 * half, viewBox: `${-half} ${-half} ${2 * half} ${2 * half}` };
    return element("li", {},
      svgElement("svg", { ...box, "aria-hidden": "true" },
        svgElement("circle", { r: radius[index], class: `series-${point.series}` })),
      element("span", {}, element("b", {}, point.variant), " ", format.bytes(point.bytes)));
  }));
}

// Draws into `canvas` and `legend`, again when width or colour scheme change. `points` are {variant,
// series, latency (ms), accuracy (a share), bytes}. Returns what frees it.
export function drawPlot({ canvas, legend, points, accuracyName }) {
  // Chart.js draws the first over the others: small circles over large ones.
  const drawn = [...points].sort((a, b) => a.bytes - b.bytes);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chart = null;
  let width = 0;
  let freed = false;
  canvas.setAttribute("aria-label",
    `Plot of ${accuracyName.toLowerCase()} against latency. ` +
    `${points.map((point) => describe(point, accuracyName)).join("; ")}.`);

  const draw = () => {
    chart?.destroy();
    width = canvas.parentElement.clientWidth;
    fillLegend(legend, points, width);
    chart = new globalThis.Chart(canvas, configuration(drawn, accuracyName, width));
  };
  const resized = new ResizeObserver(() => {
    if (canvas.parentElement.clientWidth !== width) draw();
  });
  fillLegend(legend, points, canvas.parentElement.clientWidth);
  import("./chart.min.js").then(() => {
    if (freed) return;
    draw();
    dark.addEventListener("change", draw);
    resized.observe(canvas.parentElement);
    listenToKeys(canvas, drawn, () => chart);
  });
  return () => {
    freed = true;
    dark.removeEventListener("change", draw);
    resized.disconnect();
    chart?.destroy();
  };
}
