"use strict";
// Sorts and filters the tables of the class page. Without it, the page shows the same content.
(() => {
  const collator = new Intl.Collator(undefined, {numeric: true, sensitivity: "base"});
  const text = cell => (cell ? cell.dataset.value ?? cell.textContent.trim() : "");

  function compare(one, other, down) {
    const [a, b] = [parseFloat(one), parseFloat(other)];
    // What is not a number stays last, in both directions, in a column of numbers.
    if (isNaN(a) !== isNaN(b)) return isNaN(a) ? 1 : -1;
    const order = isNaN(a) ? collator.compare(one, other) : a - b;
    return down ? -order : order;
  }

  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const before = head.getAttribute("aria-sort");
        const down = before ? before === "ascending" : head.classList.contains("number");
        heads.forEach(other => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const numbers = head.classList.contains("number");
        const rows = [...table.tBodies[0].rows].map(row => [text(row.cells[index]), row]);
        rows.sort(([a], [b]) => (numbers ? compare(a, b, down) : collator.compare(a, b) * (down ? -1 : 1)));
        table.tBodies[0].append(...rows.map(([, row]) => row));
      });
    });
  }

  function filterable(table) {
    const rows = [...table.tBodies[0].rows];
    const words = rows.map(row => row.textContent.toLowerCase());
    const label = document.createElement("label");
    const input = document.createElement("input");
    const count = document.createElement("output");
    label.className = "filter";
    input.type = "search";
    label.append(`Filter ${table.dataset.filter} `, input);
    const box = document.createElement("div");
    box.className = "filters";
    box.append(label, count);
    table.parentElement.before(box);
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase().split(/\s+/);
      let shown = 0;
      rows.forEach((row, index) => {
        row.hidden = !wanted.every(word => words[index].includes(word));
        shown += !row.hidden;
      });
      count.textContent = input.value.trim() ? `${shown} of ${rows.length} rows` : "";
    });
  }

  for (const table of document.querySelectorAll("table[data-filter]")) {
    sortable(table);
    filterable(table);
  }
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(part => { part.open = true; }));
})();
