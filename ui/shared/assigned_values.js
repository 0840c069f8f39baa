// Tells the page up to which number the browser has shown what widgets were given.
// This function runs again at every rerun of the page.

let acknowledged = 0

export default function ({ data, setStateValue }) {
  if (acknowledged === data.number) return
  acknowledged = data.number
  // The widgets take what they were given in the frame in which this runs, some of them after it.
  requestAnimationFrame(() => setTimeout(() => setStateValue("number", data.number)))
}
