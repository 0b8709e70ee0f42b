// A table that filters, sorts and pages its rows, builds only those it shows, and shows all of them on paper.
//
// Columns: { title, cell(row), key(row), number, first: "descending", class }. Filters: { label, choices, accepts(row, value) }.

const SIZES = [50, 200, Infinity];

class DataTable {
  constructor(where, { name, noun, rows, columns, filters = [], words = null, detail = null, nothing = "", sort = null }) {
    Object.assign(this, { name, noun, rows, columns, filters, words, detail, nothing, sort });
    this.text = "";
    this.chosen = filters.map(() => "");
    this.scope = null;
    this.open = new Set();
    this.page = 0;
    this.size = words ? SIZES[0] : Infinity;
    this.build(where);
    this.refresh();
  }

  build(where) {
    this.body = element("tbody");
    this.count = element("p", { class: "count", role: "status" });
    this.headings = this.columns.map((column, at) => this.heading(column, at));
    const heads = this.detail ? [element("td", { class: "opener" }), ...this.headings] : this.headings;
    const table = element("table", { "aria-label": this.name }, element("thead", {}, element("tr", {}, ...heads)), this.body);
    this.pager = this.words ? new Pager(this) : null;
    where.replaceChildren(
      ...(this.words ? [this.controls()] : []),
      element("div", { class: "table-place" }, table),
      ...(this.pager ? [this.pager.element] : []),
    );
  }

  controls() {
    this.search = element("input", { type: "search", placeholder: "Filter", "aria-label": `Filter ${this.name.toLowerCase()}`, autocomplete: "off", spellcheck: "false", input: () => this.change({ text: this.search.value.trim().toLowerCase() }) });
    this.selects = this.filters.map(({ label, choices }, at) =>
      element("select", { "aria-label": label, change: (event) => this.choose(at, event.target.value) },
        element("option", { value: "" }, label),
        ...choices.map(([value, text]) => element("option", { value }, text))));
    this.chip = element("span", { class: "chip", hidden: true });
    return element("div", { class: "controls", role: "search", "aria-label": this.name }, this.search, ...this.selects, this.chip, this.count);
  }

  heading(column, at) {
    const sort = button({ class: "sort", click: () => this.sortBy(at) }, column.title, element("span", { class: "arrow", "aria-hidden": "true" }));
    return element("th", { scope: "col", class: `${column.number ? "number" : "text"} ${column.class ?? ""}` }, sort);
  }

  sortBy(at) {
    const first = this.columns[at].number ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    this.change({ sort: { at, order: this.sort?.at === at && this.sort.order === first ? other : first } });
  }

  choose(at, value) {
    this.change({ chosen: this.chosen.map((old, place) => (place === at ? value : old)) });
  }

  /** Shows only rows for which `accepts` holds, with a chip that says so and can be taken away. */
  narrow(text, accepts) {
    this.clear();
    this.change({ scope: { text, accepts } });
  }

  clear() {
    this.search.value = "";
    for (const select of this.selects) select.value = "";
    this.change({ text: "", chosen: this.filters.map(() => ""), scope: null });
  }

  change(changes) {
    Object.assign(this, changes, { page: 0 });
    this.refresh();
  }

  refresh() {
    this.shown = this.ordered(this.rows.filter((row) => this.accepts(row)));
    this.draw();
  }

  accepts(row) {
    if (this.scope && !this.scope.accepts(row)) return false;
    if (!this.filters.every((filter, at) => this.chosen[at] === "" || filter.accepts(row, this.chosen[at]))) return false;
    if (!this.text) return true;
    row.words ??= this.words(row).toLowerCase();
    return this.text.split(/\s+/).every((word) => row.words.includes(word));
  }

  ordered(rows) {
    if (!this.sort) return rows;
    const { key } = this.columns[this.sort.at];
    const sign = this.sort.order === "ascending" ? 1 : -1;
    const compare = (a, b) => (typeof a === "number" ? a - b : collator.compare(a, b));
    return rows.map((row, at) => [key(row), at, row]).sort((a, b) => sign * compare(a[0], b[0]) || a[1] - b[1]).map(([, , row]) => row);
  }

  draw({ everything = false } = {}) {
    const start = everything || this.size === Infinity ? 0 : this.page * this.size;
    const rows = this.shown.slice(start, everything ? undefined : start + this.size);
    this.body.replaceChildren(...rows.flatMap((row) => this.rowElements(row)));
    if (!rows.length) this.body.append(element("tr", {}, element("td", { colspan: this.columns.length + 1, class: "nothing" }, this.rows.length ? "No row fits the filter." : this.nothing)));
    this.headings.forEach((heading, at) => this.mark(heading, at));
    this.count.textContent = this.shown.length === this.rows.length ? counted(this.rows.length, this.noun) : `${number(this.shown.length)} of ${counted(this.rows.length, this.noun)}`;
    this.drawChip();
    this.pager?.draw();
  }

  mark(heading, at) {
    if (this.sort?.at === at) heading.setAttribute("aria-sort", this.sort.order);
    else heading.removeAttribute("aria-sort");
  }

  drawChip() {
    if (!this.chip) return;
    this.chip.hidden = !this.scope;
    if (!this.scope) return;
    const away = () => {
      this.change({ scope: null });
      this.search.focus();
    };
    this.chip.replaceChildren(isolated(this.scope.text), button({ "aria-label": "Show all again", click: away }, "×"));
  }

  rowElements(row) {
    const cells = this.columns.map((column) => element("td", { class: `${column.number ? "number" : "text"} ${column.class ?? ""}` }, column.cell(row)));
    if (!this.detail) return [element("tr", {}, ...cells)];
    const opener = button({ class: "open", "aria-label": "Details", "aria-expanded": String(this.open.has(row.at)) });
    const line = element("tr", {}, element("td", { class: "opener" }, opener), ...cells);
    opener.addEventListener("click", () => this.toggle(row, line, opener));
    return this.open.has(row.at) ? [line, this.detailRow(row)] : [line];
  }

  toggle(row, line, opener) {
    const open = !this.open.has(row.at);
    opener.setAttribute("aria-expanded", String(open));
    if (open) {
      this.open.add(row.at);
      line.after(this.detailRow(row));
    } else {
      this.open.delete(row.at);
      line.nextElementSibling.remove();
    }
  }

  detailRow(row) {
    return element("tr", { class: "detail" }, element("td", { colspan: this.columns.length + 1 }, this.detail(row)));
  }
}
