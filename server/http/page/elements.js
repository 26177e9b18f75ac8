// Elements of the page. Text only ever becomes text nodes: nothing that a model is called, or a
// file says, is read as markup.

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined) node.append(child);
  }
  return node;
}

function withAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  return node;
}

// element("a", {href: "/"}, "text", otherElement). Children: text, nodes, arrays of them; null is
// left out, as are attributes that are null or false.
export function element(tag, attributes, ...children) {
  return append(withAttributes(document.createElement(tag), attributes), children);
}

export function svgElement(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  return append(withAttributes(node, attributes), children);
}

// A command to type, in a line of its own.
export function command(text) {
  return element("pre", { tabindex: "0" }, element("code", {}, text));
}
