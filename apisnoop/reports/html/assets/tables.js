// The big tables: which columns and filters each has.

const callsColumns = (more = []) => [
  { title: "Calls", number: true, key: ({ calls }) => calls, cell: ({ calls }) => number(calls) },
  { title: "Errors", number: true, key: ({ errors }) => errors, cell: ({ errors }) => number(errors), class: "spare" },
  ...more,
  { title: "Last seen", number: true, key: ({ last }) => last ?? 0, cell: ({ last }) => moment(last), class: "spare time" },
];

/** Two lines: a name, and below it what tells more of it. */
const named = (name, more, ...tags) =>
  element("div", { class: "named" }, element("span", {}, isolated(name, { class: "name" }), ...tags), more ? isolated(more, { class: "more" }) : null);

const findingTags = (findings) => element("span", { class: "tags" }, ...findings.map(([kind, calls]) => tag(`${number(calls)} ${kind}`, kind)));
const makes = ({ findings }, value) => findings.some(([kind]) => value === "*" || kind === value);

function operationsTable(where, model, goToCaller) {
  const callers = { title: "Callers", number: true, key: (row) => row.callers.length, cell: (row) => number(row.callers.length) };
  return new DataTable(where, {
    name: "Operations",
    noun: "operation",
    rows: model.operations,
    sort: { at: 2, order: "descending" },
    words: ({ id, method, path, level, group, resource }) => [id, method, path, level, group, resource].join(" "),
    columns: [
      { title: "Operation", key: ({ id }) => id, cell: operationName },
      { title: "Status", key: ({ state }) => Object.keys(STATES).indexOf(state), cell: ({ state }) => stateTag(state) },
      ...callsColumns(model.callersKnown ? [callers] : []),
    ],
    filters: [
      { label: "Any status", choices: Object.entries(STATES).map(([value, { text }]) => [value, text]), accepts: ({ state }, value) => state === value },
      { label: "Any level", choices: LEVELS.map((level) => [level, level]), accepts: ({ level }, value) => level === value },
      { label: "In the total or not", choices: [["yes", "in the total"], ["no", "not in the total"], ["deprecated", "deprecated"]], accepts: (row, value) => (value === "deprecated" ? row.deprecated : row.counted === (value === "yes")) },
    ],
    detail: (row) => operationDetail(row, model, goToCaller),
  });
}

function operationName({ id, method, path, level, deprecated }) {
  const tags = [level === "stable" ? null : tag(level), deprecated ? tag("deprecated") : null].filter(Boolean);
  return named(id, `${method} ${path}`, ...tags);
}

function findingsTable(where, model, { goToCaller, goToOperation }) {
  const classes = [...new Set(model.findings.map((finding) => finding.class))];
  return new DataTable(where, {
    name: "Findings",
    noun: "finding",
    rows: model.findings,
    nothing: "None: no call to a removed, invalid, deprecated, alpha or beta operation.",
    words: (row) => [row.class, row.operation, row.method, row.path, row.reason, ...row.callers.map(({ who }) => model.who[who])].join(" "),
    columns: [
      { title: "Class", key: (row) => classes.indexOf(row.class), cell: (row) => tag(row.class) },
      { title: "Request", key: ({ path }) => path, cell: ({ method, path, reason, operation }) => named(`${method} ${path}`, reason || operation) },
      { title: "Who", key: ({ callers }) => callers.length, cell: ({ callers }) => whoCell(callers, model.who), class: "spare" },
      ...callsColumns(),
    ],
    filters: [{ label: "Any class", choices: classes.map((kind) => [kind, kind]), accepts: (row, value) => row.class === value }],
    detail: (row) => findingDetail(row, model, goToCaller, goToOperation),
  });
}

function whoCell(callers, who) {
  const others = callers.length - 1;
  return named(who[callers[0].who], others > 0 ? `and ${counted(others, "other")}` : "");
}

function callersTable(where, model, goToOperation) {
  return new DataTable(where, {
    name: "Callers",
    noun: "caller",
    rows: model.callers,
    nothing: model.callersKnown ? "Nobody called." : "Who called what was not asked for when this report was made.",
    words: ({ label, identity, client, findings }) => [label, identity, client, ...findings.map(([kind]) => kind)].join(" "),
    columns: [
      { title: "Caller", key: ({ label }) => label, cell: ({ label, identity }) => named(label, label.startsWith(identity) ? "" : identity) },
      { title: "Operations hit", number: true, key: ({ hit }) => hit, cell: ({ hit }) => number(hit) },
      ...callsColumns(),
      { title: "Findings", key: findingCalls, cell: ({ findings }) => findingTags(findings), class: "spare" },
    ],
    filters: [{ label: "Any finding", choices: [["*", "some finding"], ...Object.keys(model.meaning).map((kind) => [kind, kind])], accepts: makes }],
    detail: (row) => callerDetail(row, model, goToOperation),
  });
}

const findingCalls = ({ findings }) => findings.reduce((sum, [, calls]) => sum + calls, 0);

function partsTable(where, { by, total }) {
  return new DataTable(where, {
    name: `By ${by.dimension}`,
    noun: "row",
    rows: by.parts,
    words: ({ name }) => name,
    columns: [
      { title: by.dimension, key: ({ name }) => name, cell: ({ name }) => isolated(name, { class: "name" }) },
      { title: "Operations hit", number: true, key: ({ hit }) => hit, cell: ({ hit }) => number(hit) },
      { title: "Share", number: true, key: ({ hit }) => hit, cell: ({ hit }) => percent(hit, total), class: "spare" },
      ...callsColumns(),
      { title: "Findings", key: findingCalls, cell: ({ findings }) => findingTags(findings), class: "spare" },
    ],
  });
}
