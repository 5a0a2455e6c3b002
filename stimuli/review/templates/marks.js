/* Which clips are to be left out: what the study file's table says, and what was changed here. */

const QUICK_REASONS = [
  "wrong person",
  "mask misses part of the person",
  "mask holds more than the person",
  "several people",
  "person left in the background",
  "poor picture",
  "not this action",
];

class Marks {
  /* `given`: pairs of clip and reason; `place`: the key under which the browser keeps changes. */
  constructor(given, place) {
    this.given = new Map(given);
    this.place = place;
    this.past = [];
    this.changed = new Map(this.stored());
    for (const [clip, reason] of [...this.changed]) {
      if (reason === this.givenReason(clip)) this.changed.delete(clip);
    }
  }

  givenReason(clip) {
    return this.given.has(clip) ? this.given.get(clip) : null;
  }

  /* The reason, perhaps empty, of a clip that is marked; null of one that is not. */
  reason(clip) {
    return this.changed.has(clip) ? this.changed.get(clip) : this.givenReason(clip);
  }

  isMarked(clip) {
    return this.reason(clip) !== null;
  }

  isGiven(clip) {
    return this.given.has(clip) && !this.changed.has(clip);
  }

  /* Set reasons (null unmarks) of several clips as one step that can be undone. */
  set(pairs) {
    this.past.push(pairs.map(([clip]) => [clip, this.reason(clip)]));
    this.apply(pairs);
  }

  /* Take the last step back; returns the clips it was about, null where there is none. */
  undo() {
    const pairs = this.past.pop();
    if (!pairs) return null;
    this.apply(pairs);
    return pairs.map(([clip]) => clip);
  }

  apply(pairs) {
    for (const [clip, reason] of pairs) {
      if (reason === this.givenReason(clip)) this.changed.delete(clip);
      else this.changed.set(clip, reason);
    }
    this.store();
  }

  /* A browser may give files no storage: marks then last as long as the page is open. */
  stored() {
    try {
      return JSON.parse(localStorage.getItem(this.place) ?? "[]");
    } catch {
      return [];
    }
  }

  store() {
    try {
      localStorage.setItem(this.place, JSON.stringify([...this.changed]));
    } catch {
      this.isLasting = false;
    }
  }
}

/* Return [clip, reason] of a table of exclusions, or throw an error that says what is wrong. */
function readExclusions(text) {
  const [head, ...rows] = parseCsv(text);
  const clipAt = (head ?? []).indexOf("clip_id");
  if (clipAt < 0) {
    throw new Error(`expected the columns clip_id and reason, found ${(head ?? ["nothing"]).join(", ")}`);
  }
  const reasonAt = head.indexOf("reason");
  return rows.map((row) => [row[clipAt] ?? "", row[reasonAt] ?? ""]);
}
