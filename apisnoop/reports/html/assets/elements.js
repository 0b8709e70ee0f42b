// Making elements. Children that are strings become text nodes: no data is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child != null && child !== ""));
  return made;
}

/** Makes an element; an attribute whose value is a function listens to the event of that name. */
const element = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const drawn = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const place = (id) => document.getElementById(id);
const button = (attributes, ...children) => element("button", { type: "button", ...attributes }, ...children);

/** Text that may run in another direction than the page, and that may be broken after a slash. */
function isolated(text, attributes = {}) {
  const pieces = text.split(/(?<=\/)/);
  return element("bdi", attributes, pieces.flatMap((piece, at) => (at ? [element("wbr"), piece] : [piece])));
}

/** A mark with its word: shape and text tell the state, colour only helps. */
function stateTag(state) {
  const { mark, text } = STATES[state];
  return element("span", { class: "state" }, element("span", { class: `mark mark-${mark}`, "aria-hidden": "true" }), text);
}

const tag = (text, kind = "") => element("span", { class: `tag tag-${kind || text}` }, text);

/** The bar of a share, as in the summary. Decoration only. */
function bar({ total, hit, any }) {
  const part = (name, start, width) => width > 0 && drawn("rect", { class: name, x: start, width, height: 10 });
  const parts = [part("bar-none", 0, 100)];
  if (total) {
    parts.push(part("bar-errors", (100 * hit) / total, (100 * (any - hit)) / total));
    parts.push(part("bar-hit", 0, (100 * hit) / total));
  }
  const shape = { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" };
  return drawn("svg", shape, ...parts.filter(Boolean));
}
