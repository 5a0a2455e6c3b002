/* Tables of text as RFC 4180 has them. */

function quoted(text) {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function toCsv(rows) {
  return rows.map((row) => row.map(quoted).join(",") + "\r\n").join("");
}

/* Return rows of fields; empty lines, which spreadsheets leave at the end, are passed over. */
function parseCsv(text) {
  const rows = [];
  let row = [], field = "", inside = false;
  const endRow = () => {
    row.push(field);
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
    field = "";
  };
  for (let at = text.startsWith("\ufeff") ? 1 : 0; at < text.length; at += 1) {
    const character = text[at];
    if (inside) {
      if (character !== '"') field += character;
      else if (text[at + 1] === '"') { field += '"'; at += 1; }
      else inside = false;
    } else if (character === '"' && field === "") inside = true;
    else if (character === ",") { row.push(field); field = ""; }
    else if (character === "\n") endRow();
    else if (character !== "\r") field += character;
  }
  if (field !== "" || row.length) endRow();
  return rows;
}
