// A table of cells with one tab stop. Runs again at every rerun of the page: it builds only what has changed, so that
// the cell with the focus stays, and replaces its listeners.

const built = new WeakMap() // table -> what it was built from, and its cells by their place

export default function ({ data, parentElement, setTriggerValue }) {
  const table = parentElement.querySelector("table")
  const structure = JSON.stringify([data.rows, data.columns, data.rowTitle, data.columnTitle])
  table.setAttribute("aria-label", data.title)
  table.classList.toggle("many", data.columns.length > 12)
  if (built.get(table)?.structure !== structure) {
    const cells = new Map()
    built.set(table, { structure, cells })
    build(table, cells, data)
  }
  data.texts.forEach((line, i) => line.forEach((text, j) => paint(at(table, i, j), data, i, j, text)))
  mark(table, data.picked)

  const pick = (cell) => {
    const place = [Number(cell.dataset.row), Number(cell.dataset.column)]
    mark(table, place)
    reach(table, cell)
    setTriggerValue("picked", place)
  }
  table.onclick = (event) => {
    const cell = event.target.closest("[data-row]")
    if (cell) pick(cell)
  }
  table.onkeydown = (event) => {
    const cell = event.target.closest("[data-row]")
    if (!cell || event.altKey || event.metaKey) return
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault()
      if (!event.repeat) pick(cell)
      return
    }
    const next = step(event, Number(cell.dataset.row), Number(cell.dataset.column), data)
    if (!next) return
    event.preventDefault() // the page would scroll
    const target = at(table, ...next)
    if (!target) return // the corner, or beyond the edge
    reach(table, target)
    target.focus()
  }
}

// Heads are row or column -1.
function step({ key, ctrlKey }, row, column, { rows, columns }) {
  const last = [rows.length - 1, columns.length - 1]
  switch (key) {
    case "ArrowUp":
      return [row - 1, column]
    case "ArrowDown":
      return [row + 1, column]
    case "ArrowLeft":
      return [row, column - 1]
    case "ArrowRight":
      return [row, column + 1]
    case "Home":
      return ctrlKey ? [0, 0] : [row, 0]
    case "End":
      return ctrlKey ? last : [row, last[1]]
  }
}

const at = (table, row, column) => built.get(table).cells.get(`${row} ${column}`)

function build(table, cells, { rows, columns, rowTitle, columnTitle }) {
  const head = document.createElement("thead")
  const titles = line(head)
  // The corner says what the heads are: of the rows below it, of the columns beside it.
  const corner = element(titles, "td", "corner")
  corner.rowSpan = 2
  corner.setAttribute("role", "columnheader") // a cell of a grid would be taken for one of the matrix
  corner.append(rowTitle)
  const over = element(titles, "td", "over")
  over.colSpan = columns.length
  over.setAttribute("role", "columnheader")
  over.append(columnTitle)
  const names = line(head)
  const upright = columns.some((name) => name.length > 4)
  columns.forEach((name, j) => heading(cells, names, name, -1, j, `${columnTitle} ${name}`, upright ? "upright" : ""))

  const body = document.createElement("tbody")
  rows.forEach((name, i) => {
    const row = line(body)
    heading(cells, row, name, i, -1, `${rowTitle} ${name}`, "")
    columns.forEach((_, j) => place(cells, element(row, "td", "cell"), i, j))
  })
  table.replaceChildren(head, body)
  reach(table, at(table, 0, 0))
}

function line(parent) {
  const row = element(parent, "tr", "")
  row.setAttribute("role", "row")
  return row
}

function element(parent, tag, className) {
  const made = document.createElement(tag)
  if (className) made.className = className
  parent.append(made)
  return made
}

function heading(cells, parent, name, row, column, label, className) {
  const cell = place(cells, element(parent, "th", className), row, column)
  cell.setAttribute("role", row < 0 ? "columnheader" : "rowheader")
  cell.setAttribute("aria-label", `${label}: all of it`)
  cell.title = label
  element(cell, "span", "").append(name)
}

function place(cells, cell, row, column) {
  cells.set(`${row} ${column}`, cell)
  cell.dataset.row = row
  cell.dataset.column = column
  cell.tabIndex = -1
  if (row >= 0 && column >= 0) cell.setAttribute("role", "gridcell")
  return cell
}

function paint(cell, { labels, depths, tones }, i, j, text) {
  cell.textContent = text
  cell.title = labels[i][j]
  cell.setAttribute("aria-label", labels[i][j])
  cell.dataset.tone = tones[i][j]
  cell.style.setProperty("--depth", `${100 * depths[i][j]}%`)
}

function mark(table, picked) {
  table.querySelectorAll('[aria-selected="true"]').forEach((cell) => cell.removeAttribute("aria-selected"))
  const cell = picked && at(table, ...picked)
  if (!cell) return
  cell.setAttribute("aria-selected", "true")
  if (!table.contains(table.getRootNode().activeElement)) reach(table, cell)
}

function reach(table, cell) {
  table.querySelectorAll('[tabindex="0"]').forEach((each) => (each.tabIndex = -1))
  if (cell) cell.tabIndex = 0
}
