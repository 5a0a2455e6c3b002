/* Which clips are shown, and in which order. */

const STEPS = 1000;
const BARS = 30;

const TEXT_ORDERS = [
  { label: "order in the table", of: null },
  { label: "name", of: names },
  { label: "action", of: table.action },
  { label: "split", of: table.split },
];

function extent(values) {
  let least = Infinity, most = -Infinity;
  for (const value of values) {
    if (value === null) continue;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return [least, most];
}

class Filters {
  constructor(marks) {
    this.marks = marks;
    this.orders = [...review.scores.map((score) => ({ label: score.label, of: valuesOf(score) })), ...TEXT_ORDERS];
    this.extents = review.scores.map((score) => extent(valuesOf(score)));
    this.reset();
    // The doubtful clips first.
    const quality = review.scores.findIndex((score) => score.column === "mask_quality");
    this.order = quality >= 0 ? quality : review.scores.length;
    this.descending = false;
  }

  reset() {
    Object.assign(this, { text: "", action: "", split: "", show: "used", limits: new Map() });
  }

  /* The least and the most value of a score that are let through. */
  limitsOf(score) {
    const [least, most] = this.extents[score];
    const [from, to] = this.limits.get(score) ?? [0, STEPS];
    const at = (step) => (step === STEPS ? most : least + (step / STEPS) * (most - least));
    return [at(from), at(to)];
  }

  setLimits(score, from, to) {
    if (from === 0 && to === STEPS) this.limits.delete(score);
    else this.limits.set(score, [from, to]);
  }

  rows() {
    const tests = this.tests();
    const rows = [];
    for (let row = 0; row < names.length; row += 1) {
      if (tests.every((test) => test(row))) rows.push(row);
    }
    return this.sorted(rows);
  }

  tests() {
    const tests = [];
    if (this.show === "marked") tests.push((row) => this.marks.isMarked(names[row]));
    else if (this.show !== "all") tests.push((row) => isUsed(row) === (this.show === "used"));
    if (this.split) tests.push((row) => table.split[row] === this.split);
    if (this.action) tests.push(this.actionTest());
    for (const word of this.text.toLowerCase().split(/\s+/).filter(Boolean)) {
      tests.push((row) => this.haystack(row).includes(word));
    }
    for (const score of this.limits.keys()) {
      const values = valuesOf(review.scores[score]);
      const [least, most] = this.limitsOf(score);
      tests.push((row) => values[row] !== null && values[row] >= least && values[row] <= most);
    }
    return tests;
  }

  /* A whole name means that action alone, a part of a name all that hold it. */
  actionTest() {
    const wanted = spaced(this.action.trim().toLowerCase());
    const shown = (row) => spaced(table.action[row].toLowerCase());
    const isWhole = table.action.some((_, row) => shown(row) === wanted);
    return isWhole ? (row) => shown(row) === wanted : (row) => shown(row).includes(wanted);
  }

  haystack(row) {
    const texts = [names[row], table.action[row], spaced(table.action[row]), table.group[row],
      table.reason[row], table.source[row], this.marks.reason(names[row]) ?? ""];
    return texts.join("\n").toLowerCase();
  }

  /* Unknown values come last in either direction; equal ones stay in the order of the table. */
  sorted(rows) {
    const values = this.orders[this.order].of;
    const sign = this.descending ? -1 : 1;
    if (values === null) return this.descending ? rows.reverse() : rows;
    const compare = typeof values[0] === "string" ? collator.compare : (a, b) => a - b;
    return rows.sort((a, b) => {
      if (values[a] === null || values[b] === null) return (values[a] === null) - (values[b] === null) || a - b;
      return sign * compare(values[a], values[b]) || a - b;
    });
  }

  /* How many clips of any kind lie in each of equal parts of a score's extent. */
  histogram(score) {
    const [least, most] = this.extents[score];
    const counts = new Array(BARS).fill(0);
    for (const value of valuesOf(review.scores[score])) {
      if (value === null) continue;
      counts[Math.min(BARS - 1, Math.floor((BARS * (value - least)) / (most - least)))] += 1;
    }
    return counts;
  }
}
