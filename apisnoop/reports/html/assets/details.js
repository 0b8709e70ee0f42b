// What a row opens into: short tables of who or what, the most calls first, and a way to where they are at home.

const FEW = 15;

/** A short table of calls: rows are { name, ok, errors, go } where `go` leads to the row's own place. */
function callsTable(title, rows) {
  const body = element("tbody");
  const table = element("table", { class: "calls" },
    element("thead", {}, element("tr", {}, ...[title, "Calls", "Errors"].map((text, at) => element("th", { scope: "col", class: at ? "number" : "text" }, text)))), body);
  const sortedRows = rows.sort((a, b) => b.ok + b.errors - a.ok - a.errors || collator.compare(a.name, b.name));
  const show = (shown) => body.replaceChildren(...shown.map(callsRow));
  show(sortedRows.slice(0, FEW));
  if (rows.length <= FEW) return table;
  const more = button({ class: "link", click: () => { show(sortedRows); more.remove(); } }, `Show all ${number(rows.length)}`);
  return element("div", {}, table, more);
}

function callsRow({ name, ok, errors, go }) {
  const label = go ? button({ class: "link", click: go }, isolated(name)) : isolated(name);
  return element("tr", {}, element("td", {}, label), element("td", { class: "number" }, number(ok + errors)), element("td", { class: "number" }, number(errors)));
}

/** Facts as a list of terms; empty ones are left out. */
function facts(pairs) {
  const said = pairs.filter(([, value]) => value);
  return element("dl", { class: "details" }, ...said.flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, isolated(value))]));
}

const seenBetween = ({ first, last }) => (first ? `${moment(first)} to ${moment(last)} UTC` : "");

function operationDetail(operation, model, goToCaller) {
  const callers = operation.callers.map((caller) => ({ ...caller, name: model.who[caller.who], go: () => goToCaller(caller.who) }));
  const actions = operation.actions.map(([name, ok, errors]) => ({ name, ok, errors }));
  return element("div", { class: "detail-columns" },
    facts([
      ["Group", operation.group],
      ["Resource", operation.resource],
      ["Outside conformance", operation.ineligible],
      ["In the total", operation.counted ? "" : operation.deprecated ? "no: deprecated" : "no: outside conformance"],
      ["Seen", seenBetween(operation)],
    ]),
    actions.length ? callsTable("Called as", actions) : null,
    callers.length ? callsTable("Caller", callers) : operation.calls && !model.callersKnown ? element("p", {}, "Who called it was not asked for.") : null);
}

function callerDetail(caller, model, goToOperation) {
  const uses = Array.from(triples(caller.uses), ([at, ok, errors]) => ({ name: model.operations[at].id, ok, errors, go: () => goToOperation(at) }));
  return element("div", { class: "detail-columns" },
    facts([["Identity", caller.identity], ["Program", caller.client], ["Seen", seenBetween(caller)]]),
    uses.length ? callsTable("Operation", uses) : element("p", {}, "It called no operation of the catalogue."));
}

function findingDetail(finding, model, goToCaller, goToOperation) {
  const callers = finding.callers.map((caller) => ({ ...caller, name: model.who[caller.who], go: caller.who < model.callers.length ? () => goToCaller(caller.who) : null }));
  const operation = finding.operation && model.operations.findIndex(({ id }) => id === finding.operation);
  return element("div", { class: "detail-columns" },
    facts([["Class", `${finding.class}: ${model.meaning[finding.class]}`], ["Reason", finding.reason], ["Seen", seenBetween(finding)]]),
    callsTable("Caller", callers),
    operation >= 0 && finding.operation ? button({ class: "link", click: () => goToOperation(operation) }, "Look at the operation") : null);
}
