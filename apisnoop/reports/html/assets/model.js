// The report's data as objects that know one another: operations and the callers of each.

const objects = ({ columns, rows }) =>
  rows.map((row) => Object.fromEntries(columns.map((column, at) => [column, row[at]])));

const stateOf = ({ ok, errors }) => (ok ? "hit" : errors ? "errors" : "none");

/** Flat figures, three at a time: a place, calls without and with an error. */
function* triples(figures) {
  for (let at = 0; at < figures.length; at += 3) yield [figures[at], figures[at + 1], figures[at + 2]];
}

function readModel(text) {
  const data = JSON.parse(text);
  const operations = objects(data.operations).map((operation, at) => ({
    ...operation,
    at,
    state: stateOf(operation),
    calls: operation.ok + operation.errors,
    callers: [],
  }));
  const callers = objects(data.callers).map((caller, at) => withCalls(caller, at));
  for (const caller of callers) {
    for (const [at, ok, errors] of triples(caller.uses)) operations[at].callers.push({ who: caller.at, ok, errors });
  }
  return {
    ...data,
    operations,
    callers,
    findings: objects(data.findings).map((finding, at) => ({
      ...withCalls(finding, at),
      callers: Array.from(triples(finding.callers), ([who, ok, errors]) => ({ who, ok, errors })),
    })),
    by: data.by && { dimension: data.by.dimension, parts: objects(data.by).map((part, at) => withCalls(part, at)) },
  };
}

const withCalls = (row, at) => ({ ...row, at, calls: row.ok + row.errors });
