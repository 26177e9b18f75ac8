// One version of a model: the verdict, the plot, the table, how it was measured, what to type.

import { command, element } from "./elements.js";
import * as format from "./format.js";
import { drawPlot } from "./plot.js";
import * as server from "./server.js";

// `version` null: the newest, also when there will be a newer one.
export function modelView(model, version, goTo) {
  return {
    title: version === null ? model : `${model} version ${version}`,
    load: () => server.comparison(model, version),
    show: (main, data) => show(main, data, goTo),
  };
}

// What the vertical axis shows: accuracy against labels where there are some, else agreement with
// fp32, else nothing.
export function accuracyOf(variants) {
  if (variants.every((variant) => variant.accuracy.labelled)) {
    const samples = variants[0].accuracy.labelled.samples;
    return {
      name: "Top-1 accuracy",
      on: `${format.plural(samples, "sample")} with labels`,
      of: (variant) => variant.accuracy.labelled.top1,
    };
  }
  if (variants.every((variant) => variant.accuracy.fidelity)) {
    const samples = variants[0].accuracy.fidelity.samples;
    return {
      name: "Agreement with fp32",
      on: format.plural(samples, "sample"),
      of: (variant) => variant.accuracy.fidelity.top1_agreement,
    };
  }
  return null;
}

function show(main, data, goTo) {
  const figure = plotFigure(data.variants);
  main.replaceChildren(heading(data, goTo), verdict(data), figure.node, figures(data.variants),
    execution(data.variants), measuring(data), commands(data));
  return figure.draw();
}

function heading(data, goTo) {
  const newest = data.versions.at(-1);
  const select = element("select", { id: "version" }, data.versions.toReversed().map((version) =>
    element("option", { value: version, selected: version === data.version },
      version === newest ? `${version} (newest)` : `${version}`)));
  select.addEventListener("change", () =>
    goTo(server.addressOf(data.model, Number(select.value) === newest ? null : select.value)));
  return element("div", { class: "heading" },
    element("h1", {}, data.model),
    element("p", {}, element("label", { for: "version" }, "Version"), select,
      element("span", { class: "moment" }, `published ${format.moment(data.created_unix_ms)}`)));
}

function variantName(variant, place) {
  return [element("span", { class: `dot series-${format.series(variant.variant, place)}` }), variant.variant];
}

function verdict({ variants, verdict: { summary, variants: texts } }) {
  const place = (name) => variants.findIndex((variant) => variant.variant === name);
  return element("section", { class: "verdict", "aria-labelledby": "verdict-title" },
    element("h2", { id: "verdict-title" }, "Verdict"),
    element("p", { class: "summary", id: "summary" }, summary),
    element("ul", { id: "verdict" }, texts.map(({ variant, text }) =>
      element("li", { class: `series-${format.series(variant, place(variant))}` }, text))));
}

// The plot's place in the page, and draw(), which fills it once it is in the page and returns what
// frees it.
function plotFigure(variants) {
  const accuracy = accuracyOf(variants);
  const timed = variants.filter((variant) => variant.latency?.p50_ms > 0);
  const title = element("h2", { id: "plot-title" }, "Accuracy against latency");
  const attributes = { class: "plot", "aria-labelledby": "plot-title" };
  if (!accuracy || timed.length === 0) {
    const text = "Without samples nothing is known of the accuracy: give some to upload with --calibration or --eval.";
    return { node: element("section", attributes, title, element("p", { id: "no-plot" }, text)), draw: () => null };
  }
  const points = timed.map((variant) => ({
    variant: variant.variant,
    series: format.series(variant.variant, variants.indexOf(variant)),
    latency: variant.latency.p50_ms,
    accuracy: accuracy.of(variant),
    bytes: variant.size.file_bytes,
  }));
  const canvas = element("canvas", { id: "plot", role: "img", tabindex: "0" });
  const legend = element("ul", { class: "legend", id: "legend" });
  const caption = `${accuracy.name} on ${accuracy.on}, against the median latency of one execution. ` +
    "The area of a circle is the size of the variant's file. Further up and to the left is better. " +
    "The table below has the same figures.";
  return {
    node: element("section", attributes, title, element("figure", {},
      element("div", { class: "canvas" }, canvas), legend, element("figcaption", {}, caption))),
    draw: () => drawPlot({ canvas, legend, points, accuracyName: accuracy.name }),
  };
}

// The table's columns in groups: heading, and of each column its heading, its text for a variant and
// the title that explains it.
function columnGroups(variants) {
  const groups = [
    ["Size", [
      ["file", (v) => format.bytes(v.size.file_bytes), "The ONNX file"],
      ["of fp32", (v) => format.times(v.versus_fp32?.size_ratio), "This file divided by fp32's"],
      ["in memory", (v) => format.bytes(v.size.resident_bytes), "Packed weights, constants and one worker's arena"],
    ]],
    ["Latency, ms", [
      ["p50", (v) => format.milliseconds(v.latency?.p50_ms), "Half of the executions took at most this"],
      ["p90", (v) => format.milliseconds(v.latency?.p90_ms), "90% of the executions took at most this"],
      ["p99", (v) => format.milliseconds(v.latency?.p99_ms), "99% of the executions took at most this"],
    ]],
    ["Speed", [
      ["speed-up", (v) => format.times(v.versus_fp32?.speedup), "fp32's p50 divided by this one"],
      ["samples/s", (v) => format.rate(v.latency?.throughput_per_s), "Of one worker"],
    ]],
    ["Accuracy", [
      ["top-1", (v) => format.percent(v.accuracy.labelled?.top1), "Samples whose label is the highest output"],
      ["points", (v) => format.points(v.versus_fp32?.top1_delta), "Top-1 minus fp32's, percentage points"],
      ["top-5", (v) => format.percent(v.accuracy.labelled?.top5), "Samples whose label is among the five highest outputs"],
    ]],
    ["Agreement with fp32", [
      ["share", (v) => format.percent(v.accuracy.fidelity?.top1_agreement), "Samples with the same highest output as fp32"],
      ["low 95%", (v) => format.percent(v.accuracy.fidelity?.agreement_low95), "Lower bound of the share with 95% confidence"],
      ["SQNR, dB", (v) => format.fixed(v.accuracy.fidelity?.sqnr_db, 1), "Signal to quantization noise ratio of the outputs; 200 is identical"],
    ]],
  ];
  const labelled = variants.some((variant) => variant.accuracy.labelled);
  return labelled ? groups : groups.filter(([heading]) => heading !== "Accuracy");
}

function rowHeading(variant, place) {
  return element("th", { scope: "row" }, variantName(variant, place),
    variant.default ? [" ", element("span", { class: "badge" }, "default")] : null);
}

function figures(variants) {
  const groups = columnGroups(variants);
  const columns = groups.flatMap(([, inGroup]) =>
    inGroup.map(([heading, text, title], index) => ({ heading, text, title, first: index === 0 })));
  const classes = (column) => (column.first ? "number first" : "number");
  const head = element("thead", {},
    element("tr", {}, element("td", {}), groups.map(([heading, inGroup]) =>
      element("th", { scope: "colgroup", colspan: inGroup.length, class: "first" }, heading))),
    element("tr", {}, element("th", { scope: "col" }, "Variant"), columns.map((column) =>
      element("th", { scope: "col", class: classes(column), title: column.title }, column.heading))));
  const body = element("tbody", {}, variants.map((variant, place) =>
    element("tr", { "data-variant": variant.variant }, rowHeading(variant, place), columns.map((column) =>
      element("td", { class: classes(column), "data-column": column.heading }, column.text(variant))))));
  return element("section", { "aria-labelledby": "figures-title" },
    element("h2", { id: "figures-title" }, "Figures"),
    element("div", { class: "scroll", role: "region", "aria-labelledby": "figures-title", tabindex: "0" },
      element("table", { id: "figures" }, head, body)));
}

function execution(variants) {
  const numeric = { scope: "col", class: "number" };
  const kernels = ({ executed }) => Object.entries(executed.kernels).map(([operation, kernel]) =>
    element("li", {}, `${operation} `, element("code", {}, kernel)));
  return element("section", { "aria-labelledby": "executed-title" },
    element("h2", { id: "executed-title" }, "What was executed"),
    element("div", { class: "scroll", role: "region", "aria-labelledby": "executed-title", tabindex: "0" },
      element("table", { id: "executed" },
        element("thead", {}, element("tr", {},
          element("th", { scope: "col" }, "Variant"),
          element("th", numeric, "in int8"),
          element("th", numeric, "in float16"),
          element("th", { scope: "col" }, "Kernels that did most of each operation"),
          element("th", { scope: "col" }, "Note"))),
        element("tbody", {}, variants.map((variant, place) => element("tr", { "data-variant": variant.variant },
          element("th", { scope: "row" }, variantName(variant, place)),
          element("td", { class: "number" }, format.percent(variant.executed.int8_macs)),
          element("td", { class: "number" }, format.percent(variant.executed.fp16_macs)),
          element("td", {}, element("ul", { class: "kernels" }, kernels(variant))),
          element("td", { class: "note" }, variant.executed.note)))))),
    element("p", { class: "detail" }, "Shares are of the model's multiply-accumulates."));
}

function measuring({ cpu, variants, warnings = [] }) {
  const latency = variants.find((variant) => variant.latency)?.latency;
  const labelled = variants.find((variant) => variant.accuracy.labelled)?.accuracy.labelled;
  const fidelity = variants.find((variant) => variant.accuracy.fidelity)?.accuracy.fidelity;
  const facts = [
    ["CPU", `${cpu.isa}, ${format.plural(cpu.threads, "thread")}`],
    ["Latency", latency ? `one execution of batch ${latency.batch} on ${format.plural(latency.threads, "thread")}, variants timed in turn` : "not measured"],
    ["Accuracy", labelled ? `top-1 and top-5 of ${format.plural(labelled.samples, "sample")} with labels` : "no labels were given"],
    ["Agreement", fidelity ? `with fp32 on ${format.plural(fidelity.samples, "sample")}; the bound is Clopper and Pearson's` : "no samples were given"],
  ];
  return element("section", { "aria-labelledby": "measured-title" },
    element("h2", { id: "measured-title" }, "How it was measured"),
    element("dl", { id: "measured" }, facts.map(([term, text]) => [element("dt", {}, term), element("dd", {}, text)])),
    warnings.length === 0 ? null : element("ul", { id: "warnings", class: "warnings" },
      warnings.map((text) => element("li", {}, text))));
}

function commands({ model, version, versions, variants }) {
  const chosen = (variants.find((variant) => variant.default) ?? variants[0]).variant;
  const old = version === versions.at(-1) ? "" : ` --version=${version}`;
  return element("section", { "aria-labelledby": "commands-title" },
    element("h2", { id: "commands-title" }, "From the command line"),
    command(`fourfold infer ${model}@${chosen}${old} --input=INPUT.npy`),
    command(`fourfold download ${model}@${chosen}${old} --output=${model}-${chosen}.onnx`),
    command(`fourfold compare ${model}${old}`));
}
