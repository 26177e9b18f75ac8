// What the page asks this server for.

export class NotThere extends Error {}

async function getJson(path) {
  const response = await fetch(path, { headers: { Accept: "application/json" }, cache: "no-store" });
  if (response.ok) return response.json();
  const { error = response.statusText } = await response.json().catch(() => ({}));
  throw new (response.status === 404 || response.status === 400 ? NotThere : Error)(error);
}

export function models() {
  return getJson("/v2/models");
}

// `version` null: the newest.
export function comparison(model, version) {
  const of = version === null ? "" : `/versions/${encodeURIComponent(version)}`;
  return getJson(`/v2/models/${encodeURIComponent(model)}${of}/comparison`);
}

// The page's own address of a model.
export function addressOf(model, version = null) {
  const of = version === null ? "" : `/versions/${encodeURIComponent(version)}`;
  return `/models/${encodeURIComponent(model)}${of}`;
}
