/* The page: what happens when someone clicks, points or presses a key. */

const marks = new Marks(review.excluded, `bodyscene review ${review.study} ${review.hash}`);
const filters = new Filters(marks);
const player = new Player();
const list = new List($("list"), $("rows"), filters, marks, player);
const controls = new Controls(filters, update);
const lessMotion = matchMedia("(prefers-reduced-motion: reduce)");

function update() {
  const rows = filters.rows();
  // First of all, because what is hidden has no height to fill.
  $("list").hidden = !rows.length;
  $("nothing").hidden = rows.length > 0;
  list.setRows(rows, list.currentRow);
  refresh();
}

/* After a change of marks, or of the current clip. */
function refresh() {
  list.refresh();
  list.pointOut();
  const nMarked = names.filter((name) => marks.isMarked(name)).length;
  $("count").textContent = `${list.rows.length} of ${names.length} clips · ${nMarked} to exclude`;
  showDetails($("details"), list.currentRow, marks, actions);
}

function say(text) {
  $("said").textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { $("said").textContent = ""; }, 4000);
}

function afterMarking(text) {
  if (filters.show === "marked") update();
  else refresh();
  say(marks.isLasting === false ? `${text}. This browser keeps no marks: export before you leave.` : text);
}

function mark(row, reason) {
  if (row === null) return;
  marks.set([[names[row], reason]]);
  afterMarking(reason === null ? `${names[row]} is used again` : `${names[row]} is to be excluded${reason ? `: ${reason}` : ""}`);
}

function toggle(row) {
  if (row !== null) mark(row, marks.isMarked(names[row]) ? null : "");
}

function moveTo(place) {
  list.moveTo(place);
  if (!lessMotion.matches) player.play(list.elementOf(list.currentRow), list.currentRow);
  refresh();
}

function exportList() {
  const rows = names.filter((name) => marks.isMarked(name)).map((name) => [name, marks.reason(name)]);
  const file = new Blob([toCsv([["clip_id", "reason"], ...rows])], { type: "text/csv;charset=utf-8" });
  const link = make("a", null, { href: URL.createObjectURL(file), download: "exclude.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  say(`exclude.csv lists ${rows.length} ${rows.length === 1 ? "clip" : "clips"}`);
}

async function loadList(file) {
  try {
    const found = readExclusions(await file.text());
    const known = found.filter(([clip]) => rowOf.has(clip));
    if (known.length) marks.set(known);
    const others = found.length - known.length;
    afterMarking(`${file.name}: ${known.length} marked${others ? `, ${others} not of this study` : ""}`);
  } catch (error) {
    say(`${file.name}: ${error.message}`);
  }
}

function ask() {
  if (list.currentRow === null) return;
  $("reason").value = marks.reason(names[list.currentRow]) ?? "";
  $("reason-dialog").returnValue = "";
  $("reason-dialog").showModal();
  $("reason").select();
}

function showPanel(isOpen) {
  document.body.classList.toggle("with-details", isOpen);
}

const actions = {
  next: () => moveTo(list.current + 1),
  previous: () => moveTo(list.current - 1),
  pageDown: () => moveTo(list.current + list.rowsInSight),
  pageUp: () => moveTo(list.current - list.rowsInSight),
  first: () => moveTo(0),
  last: () => moveTo(list.rows.length - 1),
  play: () => (player.element ? player.stop() : player.play(list.elementOf(list.currentRow), list.currentRow)),
  details: () => showPanel(!document.body.classList.contains("with-details")),
  close: () => showPanel(false),
  toggle: () => toggle(list.currentRow),
  ask,
  quick: ({ reason }) => mark(list.currentRow, reason),
  undo: () => {
    const clips = marks.undo();
    afterMarking(clips ? `Undone: ${clips.length === 1 ? clips[0] : `${clips.length} clips`}` : "Nothing to undo");
  },
  search: () => { showFilters(true); $("search").focus(); $("search").select(); },
  export: exportList,
  back: () => { showPanel(false); document.activeElement.blur(); list.element.focus(); },
  help: () => { $("help").showModal(); $("help-title").focus(); },
};

function showFilters(isOpen) {
  document.body.classList.toggle("with-filters", isOpen);
  $("filters-button").setAttribute("aria-expanded", isOpen);
}

/* The row of the list in which something happened, as [element, row]. */
function placeOf(event) {
  const element = event.target.closest(".row");
  return element ? [element, Number(element.dataset.row)] : [null, null];
}

function listenToList() {
  const element = list.element;
  // Moving, not entering: rows that scroll under a resting pointer must not take over from the keys.
  element.addEventListener("pointermove", (event) => {
    if (!lessMotion.matches && event.pointerType !== "touch") player.play(...placeOf(event));
  });
  element.addEventListener("pointerleave", () => player.stop());
  element.addEventListener("click", (event) => {
    const [, row] = placeOf(event);
    if (row === null) return;
    list.current = list.rows.indexOf(row);
    if (event.target.closest(".mark")) toggle(row);
    else {
      if (event.pointerType === "touch") actions.play();
      refresh();
    }
    element.focus();
  });
}

function listenToButtons() {
  $("filters-button").addEventListener("click", () => showFilters(!document.body.classList.contains("with-filters")));
  $("details-button").addEventListener("click", actions.details);
  $("export-button").addEventListener("click", exportList);
  $("help-button").addEventListener("click", actions.help);
  $("load-button").addEventListener("click", () => $("load").click());
  $("load").addEventListener("change", () => {
    if ($("load").files.length) loadList($("load").files[0]);
    $("load").value = "";
  });
  $("reason-dialog").addEventListener("close", () => {
    if ($("reason-dialog").returnValue === "mark") mark(list.currentRow, $("reason").value.trim());
    list.element.focus();
  });
  $("reasons").append(...QUICK_REASONS.map((reason) => new Option(reason)));
}

explainKeys($("keys"));
listenToKeys(actions);
listenToList();
listenToButtons();
update();
list.element.focus({ preventScroll: true });
