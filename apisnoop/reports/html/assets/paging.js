// The line below a table: which rows these are, and the way to the others.

class Pager {
  constructor(table) {
    this.table = table;
    this.range = element("span", { class: "range" });
    this.back = button({ click: () => this.turn(-1) }, "Previous");
    this.on = button({ click: () => this.turn(1) }, "Next");
    const sizes = SIZES.map((size, at) => element("option", { value: at }, size === Infinity ? "All rows" : `${size} rows`));
    this.size = element("select", { "aria-label": "Rows at once", change: () => table.change({ size: SIZES[this.size.value] }) }, ...sizes);
    this.element = element("nav", { class: "pager", "aria-label": `Pages of ${table.name.toLowerCase()}` }, this.back, this.range, this.on, this.size);
  }

  turn(by) {
    this.table.page += by;
    this.table.draw();
  }

  draw() {
    const { page, size, shown } = this.table;
    const first = page * (size === Infinity ? 0 : size);
    const last = Math.min(shown.length, first + size);
    this.range.textContent = shown.length ? `${number(first + 1)}–${number(last)} of ${number(shown.length)}` : "";
    this.back.disabled = page === 0;
    this.on.disabled = last >= shown.length;
    this.element.hidden = shown.length <= SIZES[0];
  }
}
