// Tells of runs that have ended: by a notification where the browser allows it, and by a short sound.
// This function runs again at every rerun of the page; what was told already lives as long as the document.

const told = new Set()
const REMEMBERED = "duet-bell"

// Drawn, as not every machine has a font with pictures in it.
const drawn = (more) =>
  `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 16v-5a6 6 0 0 1 12 0v5l2 2H4zM10 20a2 2 0 0 0 4 0"/>${more}</svg>`
const RINGING = drawn("")
const SILENT = drawn('<path d="M4 4l16 16"/>')

let audio = null

export default function ({ data, parentElement }) {
  const button = parentElement.querySelector(".bell")
  const why = parentElement.querySelector(".why")

  const isOn = () => localStorage.getItem(REMEMBERED) === "on"
  const show = () => {
    button.setAttribute("aria-pressed", isOn())
    button.innerHTML = isOn() ? RINGING : SILENT
    const silent = isOn() && !("Notification" in window && Notification.permission === "granted")
    why.textContent = silent ? "With a sound: this browser shows no notifications of this page." : ""
    button.setAttribute("aria-label", isOn() ? "Telling when a run ends" : "Tell me when a run ends")
    button.title = `${button.getAttribute("aria-label")}. ${why.textContent}`
  }

  // A browser asks for permission, and lets a page make a sound, only where the user has just clicked.
  button.onclick = async () => {
    localStorage.setItem(REMEMBERED, isOn() ? "off" : "on")
    if (isOn()) {
      wake()
      if ("Notification" in window && Notification.permission === "default") await Notification.requestPermission()
      beep()
    }
    show()
  }

  for (const { id, title, body } of data.ended) {
    if (told.has(id)) continue
    told.add(id)
    if (!isOn()) continue
    beep()
    if ("Notification" in window && Notification.permission === "granted") {
      new Notification(title, { body, tag: id }).onclick = () => window.focus()
    }
  }
  show()
}

function wake() {
  audio ??= new AudioContext()
  audio.resume()
}

// Two short tones, soft at both ends. Without a click since the page was loaded there may be none.
function beep() {
  wake()
  if (audio.state !== "running") return audio.resume().then(play)
  play()
}

function play() {
  ;[660, 880].forEach((pitch, i) => {
    const tone = audio.createOscillator()
    const volume = audio.createGain()
    const start = audio.currentTime + i * 0.18
    tone.frequency.value = pitch
    volume.gain.setValueAtTime(0, start)
    volume.gain.linearRampToValueAtTime(0.12, start + 0.02)
    volume.gain.linearRampToValueAtTime(0, start + 0.16)
    tone.connect(volume).connect(audio.destination)
    tone.start(start)
    tone.stop(start + 0.17)
  })
}
