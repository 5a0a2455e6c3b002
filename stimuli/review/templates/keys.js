/* The keys: one table for the handler and for the help. */

/* Each entry: keys, what they do in words, and the name of the action. */
const KEYS = [
  { keys: ["j", "ArrowDown"], shown: "j or ↓", does: "next clip", action: "next" },
  { keys: ["k", "ArrowUp"], shown: "k or ↑", does: "previous clip", action: "previous" },
  { keys: ["PageDown"], shown: "Page Down", does: "a page on", action: "pageDown" },
  { keys: ["PageUp"], shown: "Page Up", does: "a page back", action: "pageUp" },
  { keys: ["Home"], shown: "Home", does: "first clip", action: "first" },
  { keys: ["End"], shown: "End", does: "last clip", action: "last" },
  { keys: [" "], shown: "Space", does: "play or stop", action: "play" },
  { keys: ["Enter"], shown: "Enter", does: "all numbers of the clip", action: "details" },
  { keys: ["x"], shown: "x", does: "exclude the clip, or use it again", action: "toggle" },
  { keys: ["r"], shown: "r", does: "exclude it and type a reason", action: "ask" },
  ...QUICK_REASONS.map((reason, number) => ({
    keys: [String(number + 1)], shown: String(number + 1), does: `exclude it: ${reason}`, action: "quick", reason,
  })),
  { keys: ["u"], shown: "u", does: "undo", action: "undo" },
  { keys: ["/"], shown: "/", does: "search", action: "search" },
  { keys: ["e"], shown: "e", does: "export the list", action: "export" },
  { keys: ["Escape"], shown: "Esc", does: "back to the list", action: "back" },
  { keys: ["?"], shown: "?", does: "this help", action: "help" },
];

/* Keys belong to a field, a button or a dialog that has the focus. */
function isTakenBy(element, key) {
  if (document.querySelector("dialog[open]")) return true;
  if (key === "Escape") return false;
  if (element.closest("input, select, textarea")) return true;
  return (key === " " || key === "Enter") && element.closest("button, a") !== null;
}

function listenToKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTakenBy(event.target, event.key)) return;
    const entry = KEYS.find(({ keys }) => keys.includes(event.key));
    if (!entry) return;
    event.preventDefault();
    actions[entry.action](entry);
  });
}

function explainKeys(body) {
  for (const { shown, does } of KEYS) {
    const line = document.createElement("tr");
    const cell = make("th", null, { scope: "row" });
    cell.append(make("kbd", shown));
    line.append(cell, make("td", does));
    body.append(line);
  }
}
