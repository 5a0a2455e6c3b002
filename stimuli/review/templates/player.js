/* Plays the versions of one clip in step, at the clip's own speed. */

class Player {
  constructor() {
    this.element = null;
  }

  /* `element` is a row of the list; its pictures hold their moments side by side. */
  play(element, row) {
    if (this.element === element) return;
    this.stop();
    const moments = review.moments[row];
    if (!element || moments < 2) return;
    this.element = element;
    this.row = row;
    const start = performance.now();
    const step = (now) => {
      if (this.element !== element) return;
      const share = (Math.max(0, now - start) / lasts(row)) % 1;
      showMoment(element, Math.floor(share * moments));
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  stop() {
    if (this.element) showMoment(this.element, middleMoment(this.row));
    this.element = null;
  }
}

function middleMoment(row) {
  return Math.floor(review.moments[row] / 2);
}

function showMoment(element, moment) {
  element.style.setProperty("--moment", moment);
}
