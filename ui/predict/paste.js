// What is pasted becomes an upload: it is put into the file uploader's own input, so all that holds for files holds.

const INPUT = '[data-testid="stFileUploaderDropzoneInput"]'
const NONE = "There is no image on the clipboard."
const REFUSED = "The browser does not let a page read the clipboard by itself here: press Ctrl+V or ⌘V instead."

export default function ({ parentElement }) {
  const button = parentElement.querySelector("button")
  const said = parentElement.querySelector(".said")

  const upload = (files) => {
    const input = document.querySelector(INPUT)
    said.textContent = files.length ? "" : NONE
    if (!files.length || !input) return
    const transfer = new DataTransfer()
    for (const file of files) transfer.items.add(file)
    input.files = transfer.files
    input.dispatchEvent(new Event("change", { bubbles: true }))
  }

  const pasted = (event) => {
    if (event.composedPath().some((element) => element.matches?.("input:not([type=file]), textarea"))) return
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"))
    event.preventDefault()
    upload(files)
  }

  button.onclick = async () => {
    let items
    try {
      items = await navigator.clipboard.read()
    } catch {
      said.textContent = REFUSED
      return
    }
    const files = []
    for (const item of items) {
      const type = item.types.find((each) => each.startsWith("image/"))
      if (type) files.push(new File([await item.getType(type)], `pasted.${type.split("/")[1]}`, { type }))
    }
    upload(files)
  }

  document.addEventListener("paste", pasted)
  return () => document.removeEventListener("paste", pasted)
}
