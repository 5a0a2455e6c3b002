/* Everything that the tables say about the current clip. */

function make(tag, text, properties = {}) {
  const element = Object.assign(document.createElement(tag), properties);
  if (text !== null) element.textContent = text;
  return element;
}

function showDetails(panel, row, marks, actions) {
  panel.replaceChildren();
  if (row === null) return;
  const clip = names[row], reason = marks.reason(clip);
  panel.append(make("button", "Close", { type: "button", className: "close", onclick: actions.close }));
  panel.append(make("h2", clip));
  if (reason !== null) {
    const by = marks.isGiven(clip) ? "Excluded by the study file" : "Marked for exclusion";
    panel.append(make("p", `${by}${reason ? `: ${reason}` : ""}`, { className: "notice" }));
  }
  const buttons = make("p", null, { className: "buttons" });
  buttons.append(
    make("button", reason === null ? "Exclude" : "Use again", { type: "button", onclick: actions.toggle }),
    make("button", "Reason …", { type: "button", onclick: actions.ask }),
  );
  panel.append(buttons, clipTable(row));
  if (isUsed(row)) panel.append(make("h3", "Versions"), versionsTable(row));
}

function clipTable(row) {
  const body = document.createElement("table");
  for (const [name, values] of Object.entries(table)) {
    if (name === "clip_id" || values[row] === "") continue;
    body.append(tableRow([spaced(name), shownCell(name, values[row])]));
  }
  return body;
}

function versionsTable(row) {
  const body = document.createElement("table");
  const kinds = review.conditions.map(({ name }) => review.versions[name]);
  body.append(tableRow(["", ...review.conditions.map(({ label }) => label)], "th"));
  for (const name of Object.keys(kinds[0])) {
    const values = kinds.map((columns) => columns[name][row]);
    if (values.every((value) => value === "" || name === "stimulus_id")) continue;
    body.append(tableRow([spaced(name), ...values.map((value) => shownCell(name, value))]));
  }
  const scroller = make("div", null, { className: "scroll", tabIndex: 0 });
  scroller.append(body);
  return scroller;
}

/* Paths lead to stimuli; a hash is whole in its tooltip. */
function shownCell(name, value) {
  if (name === "path") {
    const address = `../${value.split("/").map(encodeURIComponent).join("/")}`;
    return make("a", "file", { href: address, title: value });
  }
  return name.endsWith("sha256") ? make("span", `${value.slice(0, 8)}…`, { title: value }) : shownValue(value);
}

function tableRow(cells, tag = "td") {
  const line = document.createElement("tr");
  cells.forEach((cell, number) => {
    const box = make(number ? tag : "th", null, { scope: number ? "col" : "row" });
    box.append(cell);
    line.append(box);
  });
  return line;
}
