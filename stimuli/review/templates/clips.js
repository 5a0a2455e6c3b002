/* The clips as the tables have them; a clip is known by its row in them. */

const review = window.bodysceneReview;
const table = review.clips;
const names = table.clip_id;
const rowOf = new Map(names.map((name, row) => [name, row]));
const collator = new Intl.Collator(undefined, { numeric: true });

/* The values of one of the numbers to sort and filter by; null where unknown. */
function valuesOf(score) {
  return (score.condition ? review.versions[score.condition] : table)[score.column];
}

function isUsed(row) {
  return table.split[row] !== "none";
}

function spaced(text) {
  return text.replaceAll("_", " ");
}

function shownNumber(value) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

function shownValue(value) {
  return typeof value === "string" ? value : shownNumber(value);
}

/* How long the clip lasts, in milliseconds. */
function lasts(row) {
  return (1000 * table.n_frames[row]) / table.fps[row];
}

/* What is shown of a clip: its versions, or the source of one that was left out. */
function picturesOf(row) {
  const kinds = isUsed(row) ? review.conditions : [{ name: "source", label: "source" }];
  return kinds.map(({ name, label }) => ({ label, file: review.previews[name][row] }));
}
