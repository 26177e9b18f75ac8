// Where the names of the plot's circles go, so that they cover each other and the circles least.

const GAP = 5; // pixels between a circle and its name

function overlap(a, b) {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return width > 0 && height > 0 ? width * height : 0;
}

function outside(box, area) {
  return Math.max(0, area.left - box.left) + Math.max(0, box.right - area.right) +
    Math.max(0, area.top - box.top) + Math.max(0, box.bottom - area.bottom);
}

function boxAt(x, y, width, height) {
  return { left: x, top: y, right: x + width, bottom: y + height };
}

// All sides of a circle where a name can stand, the best first.
function places({ x, y, r, width }, height) {
  const far = r + GAP;
  const near = 0.71 * r + GAP;
  return [
    [x + far, y - height / 2],
    [x - far - width, y - height / 2],
    [x - width / 2, y - far - height],
    [x - width / 2, y + far],
    [x + near, y - near - height],
    [x + near, y + near],
    [x - near - width, y - near - height],
    [x - near - width, y + near],
  ].map(([left, top]) => boxAt(left, top, width, height));
}

// A box for the name of each circle {x, y, r, width}, where `width` is that of its text and `height`
// that of all texts; `area` is what they should stay within. All in pixels.
export function placeLabels(circles, height, area) {
  const circleBoxes = circles.map(({ x, y, r }) => boxAt(x - r, y - r, 2 * r, 2 * r));
  const taken = [];
  for (const circle of circles) {
    let best = null;
    let bestCost = Infinity;
    for (const box of places(circle, height)) {
      const cost = 10 * outside(box, area) +
        4 * taken.reduce((sum, other) => sum + overlap(box, other), 0) +
        circleBoxes.reduce((sum, other) => sum + overlap(box, other), 0);
      if (cost < bestCost) {
        best = box;
        bestCost = cost;
      }
    }
    taken.push(best);
  }
  return taken;
}
