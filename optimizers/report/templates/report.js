"use strict";
// Sorts a table by the column whose head is pressed: numbers as numbers, texts as texts. Without
// script the page is the same, in the order in which things happened.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.querySelectorAll("thead th")];
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  };
  heads.forEach((head, column) => {
    if (head.textContent === "") return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const body = table.tBodies[0];
      [...body.rows]
        .sort((a, b) => {
          const x = valueOf(a, column), y = valueOf(b, column);
          return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
        })
        .forEach((row) => body.append(row));
    });
  });
}
