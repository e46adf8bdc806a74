/** The form that brings a data set: its file goes ahead in pieces, then the form follows. */
import { pageState } from "../state.js";
import { announce } from "../toast.js";
import { UploadRefused, upload } from "../upload.js";

const state = pageState();
const form = /** @type {HTMLFormElement} */ (document.querySelector("[data-upload-form]"));
const part = (selector) => /** @type {HTMLElement} */ (form.querySelector(selector));
const file = /** @type {HTMLInputElement} */ (form.elements.namedItem("file"));
const panel = part("[data-upload]");
const bar = /** @type {HTMLProgressElement} */ (part("progress"));
const said = part("[data-said]");
let running = /** @type {AbortController | null} */ (null);

/** @param {number} bytes */
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

/** @param {boolean} busy */
function setBusy(busy) {
  for (const button of form.querySelectorAll("button[type='submit']")) button.toggleAttribute("disabled", busy);
}

async function send() {
  const chosen = file.files?.[0];
  if (!chosen) return;
  running = new AbortController();
  panel.hidden = false;
  setBusy(true);
  try {
    const id = await upload(chosen, {
      uploads: state.uploads,
      chunk: state.chunk,
      signal: running.signal,
      onProgress: (received) => {
        bar.value = received / chosen.size;
        said.textContent = `${megabytes(received)} of ${megabytes(chosen.size)} uploaded`;
      },
      onWait: (waiting) => { if (waiting) said.textContent = "The connection is gone. Trying again."; },
    });
    /** @type {HTMLInputElement} */ (form.elements.namedItem("upload")).value = id;
    file.value = "";
    announce("The file is uploaded.");
    form.submit();
  } catch (error) {
    setBusy(false);
    const stopped = running.signal.aborted;
    said.textContent = stopped ? "Stopped. Take the same file in again to go on from here."
      : error instanceof UploadRefused ? error.message : `The upload failed: ${error instanceof Error ? error.message : error}. Try again to go on.`;
    announce(said.textContent);
  }
  running = null;
}

form.addEventListener("submit", (event) => {
  if (!file.files?.length) return;
  event.preventDefault();
  event.stopPropagation();
  if (!running && form.reportValidity()) void send();
});
part("[data-stop]").addEventListener("click", () => running?.abort());
