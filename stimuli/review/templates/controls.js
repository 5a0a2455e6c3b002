/* The form of filters: what its fields say goes to the filters, and back. */

const $ = (id) => document.getElementById(id);

class Controls {
  /* `changed` is called when other clips are to be shown, or in another order. */
  constructor(filters, changed) {
    Object.assign(this, { filters, changed });
    this.fill();
    for (const [id, field] of [["search", "text"], ["action", "action"], ["split", "split"], ["show", "show"]]) {
      const event = $(id).tagName === "SELECT" ? "change" : "input";
      $(id).addEventListener(event, () => this.set({ [field]: $(id).value }));
    }
    $("sort").addEventListener("change", () => this.sortBy(Number($("sort").value)));
    $("direction").addEventListener("click", () => this.set({ descending: !filters.descending }));
    $("limited").addEventListener("change", () => this.show());
    for (const id of ["least", "most"]) $(id).addEventListener("input", () => this.limit(id));
    $("reset").addEventListener("click", () => this.reset());
    $("filters").addEventListener("submit", (event) => event.preventDefault());
    this.show();
  }

  fill() {
    const { filters } = this;
    $("sort").append(...filters.orders.map(({ label }, number) => new Option(label, number)));
    $("limited").append(...review.scores.map(({ label }, number) => new Option(label, number)));
    const actions = [...new Set(table.action)].sort(collator.compare);
    $("actions").append(...actions.map((action) => new Option(spaced(action))));
    const splits = ["train", "validation", "test"].filter((split) => table.split.includes(split));
    $("split").append(...splits.map((split) => new Option(split)));
    $("range").hidden = !review.scores.length;
  }

  set(fields) {
    Object.assign(this.filters, fields);
    this.show();
    this.changed();
  }

  /* What one sorts by is what one likely limits next. */
  sortBy(order) {
    if (order < review.scores.length) $("limited").value = order;
    this.set({ order });
  }

  reset() {
    this.filters.reset();
    this.set({});
  }

  /* A thumb that is pushed past the other one stops there. */
  limit(moved) {
    const least = Number($("least").value), most = Number($("most").value);
    if (least > most) $(moved).value = moved === "least" ? most : least;
    this.filters.setLimits(this.limited, Number($("least").value), Number($("most").value));
    this.set({});
  }

  get limited() {
    return Number($("limited").value);
  }

  /* Let the fields say what the filters are. */
  show() {
    const { filters } = this;
    const values = { search: filters.text, action: filters.action, split: filters.split, show: filters.show, sort: filters.order };
    for (const [id, value] of Object.entries(values)) {
      if ($(id).value !== String(value)) $(id).value = value;
    }
    $("direction").textContent = filters.descending ? "↓" : "↑";
    const way = filters.descending ? "largest first" : "smallest first";
    $("direction").setAttribute("aria-label", `Order: ${way}`);
    $("direction").title = way;
    if (review.scores.length) this.showRange();
    this.showChips();
  }

  showRange() {
    const score = this.limited, { label } = review.scores[score];
    const [from, to] = this.filters.limits.get(score) ?? [0, STEPS];
    const [least, most] = this.filters.limitsOf(score).map(shownNumber);
    for (const [id, step, value] of [["least", from, least], ["most", to, most]]) {
      $(id).value = step;
      $(id).setAttribute("aria-label", `${id === "least" ? "Least" : "Most"} ${label}`);
      $(id).setAttribute("aria-valuetext", value);
    }
    $("limits").textContent = `${least} to ${most}`;
    const counts = this.filters.histogram(score), highest = Math.max(...counts);
    $("histogram").replaceChildren(...counts.map((count, bar) => {
      const box = make("i", null), middle = ((bar + 0.5) / BARS) * STEPS;
      // A single clip must still be seen.
      box.style.height = count ? `${Math.max(10, (100 * count) / highest)}%` : "0";
      box.classList.toggle("out", middle < from || middle > to);
      return box;
    }));
  }

  /* Every limit in force, each with a button that lifts it. */
  showChips() {
    $("chips").replaceChildren(...[...this.filters.limits.keys()].map((score) => {
      const [least, most] = this.filters.limitsOf(score).map(shownNumber), { label } = review.scores[score];
      const chip = make("button", `${label} ${least} to ${most} ✕`, { type: "button", title: "Lift this limit" });
      chip.addEventListener("click", () => {
        this.filters.limits.delete(score);
        this.set({});
      });
      return chip;
    }));
  }
}
