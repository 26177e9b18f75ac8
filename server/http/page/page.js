// Shows what the address names, and looks every few seconds whether the server has news of it.

import { element } from "./elements.js";
import { modelView } from "./model.js";
import { modelListView } from "./model_list.js";
import { NotThere } from "./server.js";

const POLL_MS = 5000;

const main = document.getElementById("main");
const state = document.getElementById("state");

// A view has a title, load() that fetches its data, and show(main, data), which puts it into the
// page and returns what to call before the next is shown, or nothing.
function viewOf(pathname) {
  let parts;
  try {
    parts = pathname.split("/").slice(1).map(decodeURIComponent);
  } catch {
    return nothingView();
  }
  if (pathname === "/") return modelListView();
  if (parts[0] === "models" && parts[1]) {
    if (parts.length === 2) return modelView(parts[1], null, goTo);
    if (parts.length === 4 && parts[2] === "versions") return modelView(parts[1], parts[3], goTo);
  }
  return nothingView();
}

function nothingView() {
  return {
    title: "Not found",
    load: () => Promise.reject(new NotThere("There is no page at this address.")),
  };
}

function message(heading, text) {
  return element("section", { class: "message" }, element("h1", {}, heading), element("p", {}, text),
    element("p", {}, element("a", { href: "/" }, "All models of this server")));
}

let view = null;
let shown = null; // the data on the page, as text
let leave = null; // tidies up after it
let timer = 0;
let turn = 0; // counts views: an answer for an older one is dropped

function put(show) {
  const focused = document.activeElement?.id;
  leave?.();
  leave = show() ?? null;
  if (focused) document.getElementById(focused)?.focus();
}

async function refresh() {
  clearTimeout(timer);
  const mine = turn;
  try {
    const data = await view.load();
    if (mine !== turn) return;
    const text = JSON.stringify(data);
    if (text !== shown) {
      put(() => view.show(main, data));
      shown = text;
    }
    state.textContent = "";
  } catch (error) {
    if (mine !== turn) return;
    if (error instanceof NotThere) {
      shown = null;
      document.title = "Not found – Fourfold";
      put(() => main.replaceChildren(message("Not found", error.message)));
      return; // until the address changes
    }
    state.textContent = `No answer from the server since ${new Date().toTimeString().slice(0, 5)}`;
    if (shown === null) {
      put(() => main.replaceChildren(message("No answer", "The server does not answer; this page keeps asking.")));
    }
  }
  if (!document.hidden) timer = setTimeout(refresh, POLL_MS);
}

function open() {
  turn += 1;
  shown = null;
  view = viewOf(location.pathname);
  document.title = `${view.title} – Fourfold`;
  return refresh();
}

function goTo(address) {
  history.pushState(null, "", address);
  open();
}

addEventListener("popstate", open);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && shown !== null) refresh();
});
open();
