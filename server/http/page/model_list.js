// The list of models.

import { command, element } from "./elements.js";
import * as format from "./format.js";
import * as server from "./server.js";

export function modelListView() {
  return { title: "Models", load: server.models, show };
}

function show(main, { models }) {
  main.replaceChildren(element("h1", {}, "Models"), models.length === 0 ? empty() : table(models));
}

function empty() {
  return element("section", { class: "message", id: "empty" },
    element("p", {}, "This server has no model yet. Upload one:"),
    command("fourfold upload MODEL.onnx --name=NAME --calibration=SAMPLES.npz --eval=LABELLED.npz --wait"),
    element("p", {},
      "Its four variants appear here when they are made and measured. ",
      element("code", {}, "FOURFOLD_ADDRESS=HOST:PORT"),
      " names this server to the command; the port is the gRPC port, 8001 unless it was set otherwise."));
}

function table(models) {
  const numeric = { scope: "col", class: "number" };
  return element("div", { class: "scroll", role: "region", "aria-label": "Models", tabindex: "0" },
    element("table", { id: "models" },
      element("thead", {}, element("tr", {},
        element("th", { scope: "col" }, "Model"),
        element("th", { scope: "col" }, "Default"),
        element("th", numeric, "File"),
        element("th", numeric, "Latency p50, ms"),
        element("th", numeric, "Speed-up"),
        element("th", numeric, "Accuracy"),
        element("th", { scope: "col" }, "Variants"),
        element("th", { scope: "col" }, "Published"))),
      element("tbody", {}, models.map(row))));
}

function row(model) {
  const chosen = model.variants.find((variant) => variant.default) ?? model.variants[0] ?? {};
  const others = model.versions.length - 1;
  return element("tr", {},
    element("th", { scope: "row" },
      element("a", { href: server.addressOf(model.model) }, model.model),
      element("span", { class: "detail" }, `version ${model.version}`,
        others > 0 ? `, ${format.plural(others, "older one")}` : null)),
    element("td", {}, model.default_variant),
    element("td", { class: "number" }, format.bytes(chosen.file_bytes),
      element("span", { class: "detail" }, `${format.times(chosen.size_ratio)} of fp32`)),
    element("td", { class: "number" }, format.milliseconds(chosen.p50_ms)),
    element("td", { class: "number" }, format.times(chosen.speedup)),
    accuracyCell(chosen),
    element("td", {}, element("ul", { class: "variants" }, model.variants.map((variant, place) =>
      element("li", {}, element("span", { class: `dot series-${format.series(variant.variant, place)}` }),
        variant.variant)))),
    element("td", { class: "moment" }, format.moment(model.created_unix_ms)));
}

function accuracyCell({ top1, top1_agreement: agreement }) {
  const labelled = top1 !== undefined;
  return element("td", { class: "number" }, format.percent(labelled ? top1 : agreement),
    element("span", { class: "detail" },
      labelled ? "top-1" : agreement !== undefined ? "agree with fp32" : "not measured"));
}
