// How many runs train and how far they are: a link in the header, and a prefix of the tab's title.

const ROUND = 2 * Math.PI * 9

let prefix = ""
let observer = null

const ring = (progress) =>
  `<svg viewBox="0 0 24 24" aria-hidden="true"><circle class="whole" cx="12" cy="12" r="9"/>` +
  `<circle class="part" cx="12" cy="12" r="9" stroke-dasharray="${ROUND * progress} ${ROUND}" transform="rotate(-90 12 12)"/></svg>`

export default function ({ data, parentElement, setTriggerValue }) {
  const { text, progress, run } = data
  const sign = parentElement.querySelector(".sign")
  sign.hidden = !text
  sign.href = run ? `/results?run=${run}` : "/results"
  const [words, share] = text.split(" · ")
  sign.innerHTML = ring(progress ?? 0)
  for (const [name, part] of [["words", share ? `${words} ·` : words], ["share", share ?? ""]]) {
    const span = document.createElement("span")
    span.className = share ? name : ""
    span.textContent = part
    if (part) sign.append(span)
  }
  sign.setAttribute("aria-label", `Runs: ${text}`)
  sign.onclick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return // into another tab
    event.preventDefault()
    setTriggerValue("open", true)
  }
  prefix = share ? `${share} · ` : ""
  watchTitle()
}

// Streamlit sets the title when it comes to it, also after this.
function watchTitle() {
  observer ??= new MutationObserver(watchTitle)
  observer.disconnect()
  const bare = document.title.replace(/^\d+% · /, "")
  if (document.title !== prefix + bare) document.title = prefix + bare
  observer.observe(document.head, { childList: true, characterData: true, subtree: true })
}
