// Looking into the API step by step: breadcrumb, chart, and a table that does all the chart does for those without a mouse.

class Explore {
  constructor(where, { tree, showOperations, showOperation }) {
    Object.assign(this, { tree, showOperations, showOperation });
    this.crumbs = element("ol", { class: "crumbs" });
    this.tip = element("div", { class: "tip", hidden: true, "aria-hidden": "true" });
    this.picture = element("div", { class: "picture", role: "img", "aria-label": "Sunburst of coverage by level, group, resource and operation. The table beside it says the same." });
    this.middle = button({ class: "middle", click: () => this.up() });
    this.list = element("div", { class: "list" });
    this.all = button({ class: "link all", click: () => this.showOperations(this.node) });
    where.replaceChildren(
      element("nav", { "aria-label": "Place in the API" }, this.crumbs),
      element("div", { class: "explore" },
        element("div", { class: "chart-side" }, element("div", { class: "chart" }, this.picture, this.middle), legend()),
        element("div", { class: "list-side" }, this.list, this.all)),
      this.tip);
    this.picture.addEventListener("mousemove", (event) => this.moveTip(event));
    where.addEventListener("keydown", (event) => event.key === "Escape" && this.up());
    this.chart = new Chart(this.picture, { pick: (node) => this.pick(node), hover: (node) => this.hover(node) });
    this.go(tree);
  }

  /** Goes to a part, or to the row of a single operation. */
  pick(node) {
    if (node.kind === "operation") this.showOperation(node.at);
    else this.go(node);
  }

  up() {
    if (!this.node.parent) return;
    const from = this.node.name;
    this.go(this.node.parent);
    this.focusRow(from);
  }

  go(node) {
    this.node = node;
    this.hover(null);
    this.chart.show(node);
    this.drawCrumbs();
    this.drawMiddle();
    this.drawList();
    this.all.textContent = `Show ${node.total === 1 ? "this operation" : `these ${counted(node.total, "operation")}`} and who called them`;
  }

  drawCrumbs() {
    const trail = [];
    for (let at = this.node; at; at = at.parent) trail.unshift(at);
    this.crumbs.replaceChildren(...trail.map((node) => this.crumb(node)));
  }

  crumb(node) {
    if (node === this.node) return element("li", {}, isolated(node.name, { "aria-current": "location" }));
    const back = () => {
      this.go(node);
      this.focusRow(null);
    };
    return element("li", {}, button({ class: "link", click: back }, isolated(node.name)));
  }

  drawMiddle() {
    const { node } = this;
    const name = node.parent ? `Back to ${node.parent.name}` : null;
    this.middle.disabled = !node.parent;
    if (name) this.middle.setAttribute("aria-label", name);
    else this.middle.removeAttribute("aria-label");
    this.middle.replaceChildren(
      element("span", { class: "middle-figure" }, percent(node.hit, node.total)),
      element("span", { class: "middle-count" }, `${number(node.hit)} of ${number(node.total)}`),
      ...(node.parent ? [element("span", { class: "middle-back" }, "↑ back")] : []));
  }

  drawList() {
    const kind = this.node.children[0].kind;
    const columns = [
      { title: kind[0].toUpperCase() + kind.slice(1), key: ({ name }) => name, cell: (node) => this.entry(node) },
      { title: "Hit", number: true, key: ({ hit }) => hit, cell: ({ hit, total }) => `${number(hit)} / ${number(total)}` },
      { title: "Share", number: true, key: ({ hit, total }) => hit / total, cell: ({ hit, total }) => percent(hit, total) },
      { title: "Calls", number: true, key: ({ calls }) => calls, cell: ({ calls }) => number(calls) },
    ];
    const [name, hit, share, calls] = columns;
    const leaf = [name, { title: "Status", key: ({ hit: h, any }) => 2 * h + any, cell: ({ state }) => stateTag(state) }, calls];
    this.table = new DataTable(this.list, { name: `Parts of ${this.node.name}`, noun: kind, rows: this.node.children, columns: kind === "operation" ? leaf : [name, hit, share, calls] });
  }

  entry(node) {
    const pick = () => {
      this.pick(node);
      if (node.kind !== "operation") this.focusRow(null);
    };
    const label = button({ class: "link entry", click: pick }, isolated(node.name));
    return node.kind === "operation" ? label : [label, bar(node)];
  }

  /** Puts the keyboard's focus on the row of this name, else on the first one. */
  focusRow(name) {
    const entries = [...this.list.querySelectorAll(".entry")];
    (entries.find(({ textContent }) => textContent === name) ?? entries[0])?.focus({ preventScroll: true });
  }

  hover(node) {
    this.tip.hidden = !node;
    if (!node) return;
    const said = node.kind === "operation" ? [stateTag(node.state)] : [`${number(node.hit)} of ${counted(node.total, "operation")} hit (${percent(node.hit, node.total)})`];
    this.tip.replaceChildren(element("strong", {}, isolated(node.name)), element("span", {}, node.kind), element("span", {}, ...said), element("span", {}, counted(node.calls, "call")));
  }

  moveTip({ clientX, clientY }) {
    const { offsetWidth, offsetHeight } = this.tip;
    const left = Math.max(8, Math.min(clientX + 14, innerWidth - offsetWidth - 8));
    const top = clientY + offsetHeight + 24 > innerHeight ? clientY - offsetHeight - 10 : clientY + 16;
    this.tip.style.translate = `${left}px ${top}px`;
  }
}

function legend() {
  const steps = ["0 %", "", "", "", "", "100 %"].map((text, step) => element("span", { class: `swatch step-${step}`, title: text || false }));
  return element("p", { class: "legend chart-legend" },
    element("span", { class: "key" }, "0 %", element("span", { class: "ramp", "aria-hidden": "true" }, ...steps), "100 % hit"),
    element("span", { class: "key" }, element("span", { class: "mark mark-errors", "aria-hidden": "true" }), "only errors"));
}
