/** Trying a model out: the image goes to the server, the likeliest classes come back. */
import { number, percent } from "./format.js";

/** @param {string} tag @param {string} [text] */
function element(tag, text) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** @param {{guesses: {name: string, probability: number}[], milliseconds: number}} answer */
function listOf(answer) {
  const list = element("ol");
  list.className = "guesses";
  for (const { name, probability } of answer.guesses) {
    const item = element("li");
    const meter = /** @type {HTMLMeterElement} */ (element("meter", percent(probability)));
    Object.assign(meter, { min: 0, max: 1, value: probability });
    const share = element("span", percent(probability, 1));
    share.className = "number";
    item.append(element("span", name), meter, share);
    list.append(item);
  }
  return list;
}

/** @param {HTMLFormElement} form @param {File} file */
async function classify(form, file) {
  const place = /** @type {HTMLElement} */ (form.querySelector("[data-answer]"));
  const preview = /** @type {HTMLImageElement} */ (form.querySelector("[data-preview]"));
  preview.hidden = false;
  if (preview.src) URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(file);
  const body = new FormData(form);
  body.set("image", file);
  try {
    const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
    const said = await response.json();
    if (!response.ok) {
      place.replaceChildren(element("p", said.problem));
      return;
    }
    const time = element("p", `ONNX Runtime took ${number(said.milliseconds, 2)} ms on the server, resizing included.`);
    time.className = "small muted";
    place.replaceChildren(listOf(said), time);
  } catch {
    place.replaceChildren(element("p", "The server could not be reached. Try again."));
  }
}

/** Makes the page's form answer in place, and take images that are dropped on it. */
export function wireTrying() {
  const form = /** @type {HTMLFormElement | null} */ (document.querySelector("[data-try]:not([data-wired])"));
  if (!form) return;
  form.setAttribute("data-wired", "");
  const input = /** @type {HTMLInputElement} */ (form.elements.namedItem("image"));
  const send = () => { if (input.files?.[0]) void classify(form, input.files[0]); };
  input.addEventListener("change", send);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopPropagation();
    send();
  });
  form.addEventListener("dragover", (event) => {
    event.preventDefault();
    form.classList.add("is-target");
  });
  form.addEventListener("dragleave", () => form.classList.remove("is-target"));
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("is-target");
    if (event.dataTransfer?.files.length) {
      input.files = event.dataTransfer.files;
      send();
    }
  });
}
