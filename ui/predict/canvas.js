// Strokes are kept as points, so that undo is exact and every theme and screen gets crisp lines.
// This function runs again at every rerun of the page; the strokes live as long as the canvas.

const drawings = new WeakMap()

export default function ({ data, parentElement, setStateValue }) {
  const canvas = parentElement.querySelector("canvas")
  const undo = parentElement.querySelector(".undo")
  const clear = parentElement.querySelector(".clear")
  const sheet = parentElement.querySelector(".sheet")
  sheet.style.maxWidth = `${data.size}px`

  const isNew = !drawings.has(canvas)
  if (isNew) drawings.set(canvas, { strokes: [], pen: null })
  const drawing = drawings.get(canvas)

  const show = () => {
    const scale = Math.min(3, window.devicePixelRatio || 1)
    canvas.width = canvas.height = data.size * scale
    const context = canvas.getContext("2d")
    paint(context, drawing.strokes, canvas.width, getComputedStyle(canvas).color)
    const isEmpty = drawing.strokes.length === 0
    sheet.classList.toggle("empty", isEmpty)
    undo.disabled = clear.disabled = isEmpty
  }
  const send = () => setStateValue("image", drawing.strokes.length ? toPng(drawing.strokes, data.size) : null)

  // Coordinates are shares of the side, so that a canvas that has been resized keeps its drawing.
  const point = (event) => {
    const box = canvas.getBoundingClientRect()
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]
  }

  canvas.onpointerdown = (event) => {
    if (drawing.pen !== null || event.button !== 0) return // a second finger, the right button
    event.preventDefault()
    drawing.pen = event.pointerId
    canvas.setPointerCapture(event.pointerId)
    drawing.strokes.push(Object.assign([point(event)], { ink: data.pen }))
    show()
  }
  canvas.onpointermove = (event) => {
    if (event.pointerId !== drawing.pen) return
    const events = event.getCoalescedEvents?.() ?? []
    drawing.strokes.at(-1).push(...(events.length ? events : [event]).map(point))
    show()
  }
  canvas.onpointerup = canvas.onpointercancel = (event) => {
    if (event.pointerId !== drawing.pen) return
    drawing.pen = null
    send()
  }
  undo.onclick = () => {
    drawing.strokes.pop()
    show()
    send()
  }
  clear.onclick = () => {
    drawing.strokes.length = 0
    show()
    send()
  }

  show()
  if (isNew && data.drawn) send()

  // Light and dark change without a rerun; the ink's colour is only known once the new one holds.
  const theme = new MutationObserver(show)
  theme.observe(parentElement.host ?? parentElement, { attributes: true })
  return () => theme.disconnect()
}

// Smooth lines: each point bends the curve between the middles of its neighbours.
function paint(context, strokes, side, color) {
  context.strokeStyle = color
  context.lineCap = context.lineJoin = "round"
  for (const stroke of strokes) {
    const points = stroke.map(([x, y]) => [x * side, y * side])
    const [first, last] = [points[0], points.at(-1)]
    context.lineWidth = stroke.ink * side
    context.beginPath()
    context.moveTo(...first)
    for (let i = 1; i < points.length - 1; i++) {
      const [[x, y], [nextX, nextY]] = [points[i], points[i + 1]]
      context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2)
    }
    // A line without length would stay invisible, and a tap is meant to leave a dot.
    context.lineTo(last[0] + (stroke.length === 1 ? 0.01 : 0), last[1])
    context.stroke()
  }
}

function toPng(strokes, size) {
  const page = document.createElement("canvas")
  page.width = page.height = size
  const context = page.getContext("2d")
  context.fillStyle = "white"
  context.fillRect(0, 0, size, size)
  paint(context, strokes, size, "black")
  return page.toDataURL("image/png")
}
