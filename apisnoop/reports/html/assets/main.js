// Puts the page together: every section gets its part, and the parts learn of one another.

function start(model) {
  const tables = [];
  const goTo = (section) => place(section).scrollIntoView({ block: "start" });
  const goToRow = (section, table, at, text) => {
    table.open.add(at);
    table.narrow(text, (row) => row.at === at);
    goTo(section);
    table.body.querySelector(".open")?.focus({ preventScroll: true });
  };
  const goToCaller = (at) => goToRow("callers", callers, at, model.who[at]);
  const goToOperation = (at) => goToRow("operations", operations, at, model.operations[at].id);

  const operations = operationsTable(place("operations-place"), model, goToCaller);
  const callers = callersTable(place("callers-place"), model, goToOperation);
  const findings = findingsTable(place("findings-place"), model, { goToCaller, goToOperation });
  tables.push(operations, callers, findings);
  if (model.by) tables.push(startParts(model));
  for (const section of document.querySelectorAll("section[hidden]:not(#by), .sections")) section.hidden = false;
  startTiles(findings, goTo);
  startPrinting(tables);
  const showOperations = (node) => {
    const names = [node.path.join(" › ") || node.name];
    operations.narrow(names[0], (row) => row.counted && within(row, node.path));
    goTo("operations");
    operations.search.focus({ preventScroll: true });
  };
  new Explore(place("explore-place"), { tree: buildTree(model), showOperations, showOperation: goToOperation });
  place("without-script").remove();
}

const within = ({ level, group, resource }, path) => path.every((name, at) => name === [level, group, resource][at]);

function startParts(model) {
  place("by").hidden = false;
  place("by-title").textContent = `By ${model.by.dimension}`;
  return partsTable(place("by-place"), model);
}

/** A tile of the summary shows its class of findings. */
function startTiles(findings, goTo) {
  for (const tile of document.querySelectorAll(".tile")) {
    tile.addEventListener("click", (event) => {
      event.preventDefault();
      findings.clear();
      const known = [...findings.selects[0].options].some(({ value }) => value === tile.dataset.class);
      if (known) findings.selects[0].value = tile.dataset.class;
      if (known) findings.choose(0, tile.dataset.class);
      goTo("findings");
      findings.selects[0].focus({ preventScroll: true });
    });
  }
}

/** Paper cannot be paged through: all rows that fit the filter are there while it is being printed. */
function startPrinting(tables) {
  addEventListener("beforeprint", () => tables.forEach((table) => table.draw({ everything: true })));
  addEventListener("afterprint", () => tables.forEach((table) => table.draw()));
}

start(readModel(place("data").textContent));
performance.mark("apisnoop-ready");
