// Lays one button over each image of the picture. Runs again at every rerun of the page,
// so it builds only what has changed and replaces its listeners.

export default function ({ data, parentElement, setTriggerValue }) {
  const frame = parentElement.querySelector(".frame")
  const picture = frame.querySelector("img")
  frame.setAttribute("aria-label", data.title)
  frame.style.maxWidth = `${data.width * data.zoom}px`

  if (picture.getAttribute("src") !== data.picture) {
    picture.src = data.picture
    frame.querySelectorAll("button").forEach((button) => button.remove())
    frame.append(...data.names.map((name, i) => cell(data, name, i)))
  }
  const cells = [...frame.querySelectorAll("button")]
  mark(cells, data.picked)

  cells.forEach((button, i) => {
    button.onclick = () => {
      mark(cells, i)
      setTriggerValue("picked", i)
    }
  })
  frame.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -data.columns, ArrowDown: data.columns }[event.key]
    const next = cells[cells.indexOf(event.target) + step]
    if (step === undefined) return
    event.preventDefault() // the page would scroll
    if (!next) return
    cells.forEach((button) => (button.tabIndex = button === next ? 0 : -1))
    next.focus()
  }
}

function cell({ width, height, cell: [w, h], gap, columns }, name, i) {
  const button = document.createElement("button")
  button.type = "button"
  button.title = name
  button.setAttribute("role", "option")
  button.setAttribute("aria-label", name)
  Object.assign(button.style, {
    left: `${(100 * (i % columns) * (w + gap)) / width}%`,
    top: `${(100 * Math.floor(i / columns) * (h + gap)) / height}%`,
    width: `${(100 * w) / width}%`,
    height: `${(100 * h) / height}%`,
  })
  return button
}

// Only one image is reached with the tab key: the picked one, or else the first.
function mark(cells, picked) {
  cells.forEach((button, i) => {
    button.setAttribute("aria-selected", i === picked)
    button.tabIndex = i === (picked ?? 0) ? 0 : -1
  })
}
