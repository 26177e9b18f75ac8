// Figures as text, as the command `fourfold` writes them. What was not measured is a dash.

const NONE = "–";

function known(value) {
  return typeof value === "number" && Number.isFinite(value);
}

// With so many decimals, an exact half to the even neighbour: toFixed() would take the upper one.
export function fixed(value, digits) {
  if (!known(value)) return NONE;
  const more = 30;
  const exact = value.toFixed(digits + more);
  const below = exact.slice(0, -more).replace(/\.$/, "");
  const half = exact.endsWith("5".padEnd(more, "0"));
  return half && "02468".includes(below.at(-1)) ? below : value.toFixed(digits);
}

// "512 B", "9.53 KiB", "44.7 MiB".
export function bytes(count) {
  if (!known(count)) return NONE;
  if (count < 1024) return `${count} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = count / 1024;
  let unit = 0;
  while (value >= 1024 && unit + 1 < units.length) {
    value /= 1024;
    unit += 1;
  }
  return `${fixed(value, value < 10 ? 2 : 1)} ${units[unit]}`;
}

// A share from 0 to 1: "97.25%".
export function percent(share) {
  return known(share) ? `${fixed(100 * share, 2)}%` : NONE;
}

// A difference of shares in percentage points: "+0.12", "−1.50".
export function points(delta) {
  if (!known(delta)) return NONE;
  const text = fixed(Math.abs(100 * delta), 2);
  if (text === "0.00") return "0.00";
  return (delta < 0 ? "−" : "+") + text;
}

// "2.61×"; a speed-up or ratio of 0 was not measured.
export function times(factor) {
  return known(factor) && factor > 0 ? `${fixed(factor, 2)}×` : NONE;
}

// A latency of 0 was not measured.
export function milliseconds(value) {
  return known(value) && value > 0 ? fixed(value, 3) : NONE;
}

// "12,345": whole samples per second from 100 on, below that with a decimal.
export function rate(perSecond) {
  if (!known(perSecond) || perSecond <= 0) return NONE;
  if (perSecond < 100) return fixed(perSecond, 1);
  return fixed(perSecond, 0).replace(/\B(?=(\d{3})+$)/g, ",");
}

// "2026-11-21 12:00 UTC".
export function moment(unixMs) {
  if (!known(unixMs) || unixMs <= 0) return NONE;
  return `${new Date(unixMs).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

export function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

// The colour of a variant, as a number of the style sheet's --series-N: the four that are always
// offered have their own, others follow by their place in the list.
export function series(variant, place) {
  const own = ["fp32", "fp16", "hybrid", "int8"].indexOf(variant);
  return own >= 0 ? own + 1 : 5 + (place % 2);
}
