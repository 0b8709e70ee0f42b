// The hierarchy that chart and table show: level, group, resource, operation, with shares added up on the way.

const LEVELS = ["stable", "beta", "alpha"];
const KINDS = ["API", "level", "group", "resource", "operation"];

function node(name, parent, at = null) {
  const path = parent ? [...parent.path, name] : [];
  return { id: JSON.stringify(path), name, path, parent, at, kind: KINDS[path.length], children: new Map(), total: 0, hit: 0, any: 0, calls: 0 };
}

function add(leafOf, operation, count) {
  const any = operation.calls ? 1 : 0;
  const hit = count === "ok" ? (operation.ok ? 1 : 0) : any;
  for (let at = leafOf; at; at = at.parent) {
    at.total += 1;
    at.hit += hit;
    at.any += any;
    at.calls += operation.calls;
  }
}

/** Builds the tree of the operations that count; the rest are in the tables only. */
function buildTree({ operations, count }) {
  const root = node("All operations", null);
  for (const operation of operations.filter(({ counted: counts }) => counts)) {
    let at = root;
    for (const name of [operation.level, operation.group, operation.resource]) at = child(at, name);
    const leaf = child(at, operation.id);
    leaf.at = operation.at;
    leaf.state = operation.state;
    add(leaf, operation, count);
  }
  return sorted(root);
}

function child(parent, name) {
  if (!parent.children.has(name)) parent.children.set(name, node(name, parent));
  return parent.children.get(name);
}

/** Turns children into lists: levels in their order, operations by what became of them, the rest by size. */
function sorted(parent) {
  const children = Array.from(parent.children.values(), sorted);
  const order = (a, b) => rank(a) - rank(b) || b.total - a.total || collator.compare(a.name, b.name);
  return Object.assign(parent, { children: children.sort(order) });
}

function rank({ kind, name, hit, any }) {
  if (kind === "level") return LEVELS.indexOf(name);
  return kind === "operation" ? -(2 * hit + any) : 0;
}

/** Five steps from nothing to everything hit; an operation with errors only has a pattern of its own. */
function stepOf({ kind, state, hit, total }) {
  if (kind === "operation" && state === "errors") return "errors";
  if (!hit) return 0;
  return hit === total ? 5 : 1 + Math.floor((4 * hit) / total);
}
