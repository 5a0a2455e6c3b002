/* The list of clips. Only rows in sight exist, so ten thousand cost no more than ten. */

const ROWS_AHEAD = 3;
const GAP = 8, EDGE = 12, LABEL = 22, ABOUT_WIDTH = 250, ABOUT_HEIGHT = 48, LEAST_ROW = 132;
const WIDE_FROM = 700, LEAST_TILE = 104, MOST_TILE = 240, TALLEST_TILE = 220;

class List {
  constructor(element, holder, filters, marks, player) {
    Object.assign(this, { element, holder, filters, marks, player });
    this.template = document.getElementById("row").content.firstElementChild;
    this.rows = [];
    this.drawn = new Map();
    this.current = -1;
    element.addEventListener("scroll", () => this.draw());
    new ResizeObserver(() => this.measure()).observe(element);
  }

  get currentRow() {
    return this.current >= 0 ? this.rows[this.current] : null;
  }

  elementOf(row) {
    return this.drawn.get(row) ?? null;
  }

  /* Show these rows; the current clip stays current where it is still there. */
  setRows(rows, current) {
    this.rows = rows;
    const place = rows.indexOf(current);
    this.current = rows.length ? Math.max(0, place) : -1;
    this.element.setAttribute("aria-rowcount", rows.length);
    if (place < 0) this.element.scrollTop = 0;
    this.redraw();
    if (place >= 0) this.reveal();
  }

  /* Fit the pictures into the width; all rows are equally high. */
  measure() {
    const [tileW, tileH] = review.tile, n = review.conditions.length;
    if (!this.element.clientWidth) return;
    const width = this.element.clientWidth - 2 * EDGE;
    const isWide = width >= WIDE_FROM;
    const room = isWide ? width - ABOUT_WIDTH - 2 * GAP : width;
    const most = Math.max(1, Math.min(n, Math.floor((room + GAP) / (LEAST_TILE + GAP))));
    const lines = Math.ceil(n / most), columns = Math.ceil(n / lines);
    const widest = Math.min(MOST_TILE, (TALLEST_TILE * tileW) / tileH);
    const shownW = Math.floor(Math.min(widest, (room + GAP) / columns - GAP));
    const shownH = Math.round((shownW * tileH) / tileW);
    const pictures = lines * (shownH + LABEL);
    this.rowHeight = 2 * GAP + (isWide ? Math.max(LEAST_ROW, pictures) : pictures + ABOUT_HEIGHT);
    this.element.classList.toggle("wide", isWide);
    const sizes = { "--tile-w": shownW, "--tile-h": shownH, "--row-h": this.rowHeight };
    for (const [name, pixels] of Object.entries(sizes)) this.element.style.setProperty(name, `${pixels}px`);
    this.element.style.setProperty("--columns", columns);
    this.redraw();
    if (this.current >= 0) this.reveal();
  }

  redraw() {
    this.player.stop();
    this.holder.replaceChildren();
    this.drawn.clear();
    this.draw();
  }

  draw() {
    if (!this.rowHeight) return;
    // Before reading how far it is scrolled: a list that became shorter scrolls back.
    this.holder.style.height = `${this.rows.length * this.rowHeight}px`;
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / this.rowHeight) - ROWS_AHEAD);
    const last = Math.min(this.rows.length, Math.ceil((scrollTop + clientHeight) / this.rowHeight) + ROWS_AHEAD);
    const wanted = new Set(this.rows.slice(first, last));
    for (const [row, element] of this.drawn) {
      if (wanted.has(row)) continue;
      element.remove();
      this.drawn.delete(row);
    }
    for (let place = first; place < last; place += 1) {
      const row = this.rows[place];
      if (!this.drawn.has(row)) this.drawn.set(row, this.holder.appendChild(this.build(row, place)));
    }
    this.pointOut();
  }

  build(row, place) {
    const element = this.template.cloneNode(true);
    element.id = `row-${row}`;
    element.dataset.row = row;
    element.style.top = `${place * this.rowHeight}px`;
    element.setAttribute("aria-rowindex", place + 1);
    const pictures = element.querySelector(".versions");
    for (const picture of picturesOf(row)) pictures.append(buildPicture(picture, review.moments[row]));
    showMoment(element, middleMoment(row));
    this.fill(element, row);
    return element;
  }

  /* Write what may change while the row is in sight. */
  fill(element, row) {
    const clip = names[row], reason = this.marks.reason(clip), order = this.filters.orders[this.filters.order];
    const isMarked = reason !== null;
    element.classList.toggle("marked", isMarked);
    setText(element, ".name", clip);
    setText(element, ".facts", `${spaced(table.action[row])} · ${isUsed(row) ? table.split[row] : "left out"}`);
    const isNumber = order.of !== null && typeof order.of[0] !== "string";
    setText(element, ".score", isNumber ? `${order.label} ${shownNumber(order.of[row])}` : "");
    const markedBy = this.marks.isGiven(clip) ? "excluded by the study file" : "marked";
    setText(element, ".why", isMarked ? `${markedBy}${reason ? `: ${reason}` : ""}` : table.reason[row]);
    const mark = element.querySelector(".mark");
    mark.textContent = isMarked ? "✕" : "";
    mark.setAttribute("aria-pressed", isMarked);
    mark.setAttribute("aria-label", `Exclude ${clip}`);
    mark.title = isMarked ? "Use this clip (x)" : "Exclude this clip (x)";
  }

  /* Write again what marks and sorting change. */
  refresh() {
    for (const [row, element] of this.drawn) this.fill(element, row);
  }

  pointOut() {
    for (const [row, element] of this.drawn) {
      element.setAttribute("aria-selected", row === this.currentRow);
    }
    const shown = this.elementOf(this.currentRow);
    if (shown) this.element.setAttribute("aria-activedescendant", shown.id);
    else this.element.removeAttribute("aria-activedescendant");
  }

  moveTo(place) {
    if (!this.rows.length) return;
    this.current = Math.max(0, Math.min(this.rows.length - 1, place));
    this.reveal();
  }

  get rowsInSight() {
    return Math.max(1, Math.floor(this.element.clientHeight / this.rowHeight));
  }

  /* Scroll as little as brings the current row into sight. */
  reveal() {
    const top = this.current * this.rowHeight, { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + this.rowHeight > scrollTop + clientHeight) {
      this.element.scrollTop = top + this.rowHeight - clientHeight;
    }
    this.draw();
  }
}

function setText(element, selector, text) {
  const part = element.querySelector(selector);
  part.textContent = text;
  part.title = text;
}

function buildPicture({ label, file }, moments) {
  const figure = document.createElement("figure");
  const picture = document.createElement("div");
  picture.className = "picture";
  if (file) {
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", label);
    picture.style.backgroundImage = `url("previews/${file}")`;
    picture.style.setProperty("--moments", moments);
  } else picture.textContent = "no picture";
  const caption = document.createElement("figcaption");
  caption.textContent = label;
  figure.append(picture, caption);
  return figure;
}
