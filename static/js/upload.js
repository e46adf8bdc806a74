/** Sends a file in pieces. A piece that fails is sent again; a file that was begun before is gone on with. */

const RETRIES = 6;
const FIRST_WAIT_MS = 500;

export class UploadRefused extends Error {}

/** @returns {string} Django's token against forged requests */
const token = () => /** @type {HTMLInputElement} */ (document.querySelector("input[name='csrfmiddlewaretoken']")).value;

/** What an answer that is a page instead of data means, and what to do. @param {Response} response */
function refusal({ status, redirected }) {
  if (redirected || status === 401 || status === 403) {
    return "You are no longer signed in. Reload this page, sign in again and choose the same file: what was sent is kept.";
  }
  if (status === 413) return "A server in between refuses pieces of this size (413). Whoever runs it has to let larger requests through.";
  return `The server's answer was not understood (${status}). Reload this page and choose the same file to go on.`;
}

/**
 * @param {string} address @param {string} method @param {BodyInit} body
 * @param {AbortSignal} signal
 * @returns {Promise<any>} what the server says of the upload
 */
async function ask(address, method, body, signal) {
  const response = await fetch(address, { method, body, signal, headers: { "X-CSRFToken": token() } });
  if (response.status >= 500) throw new Error(`the server answered ${response.status}`);
  if (!response.headers.get("Content-Type")?.includes("application/json")) throw new UploadRefused(refusal(response));
  const said = await response.json();
  if (!response.ok && response.status !== 409) throw new UploadRefused(said.problem ?? `refused (${response.status})`);
  return said;
}

/** @param {() => Promise<any>} attempt @param {(waiting: boolean) => void} onWait @param {AbortSignal} signal */
async function persist(attempt, onWait, signal) {
  for (let turn = 0; ; turn += 1) {
    try {
      const found = await attempt();
      onWait(false);
      return found;
    } catch (error) {
      if (error instanceof UploadRefused || signal.aborted || turn >= RETRIES) throw error;
      onWait(true);
      await new Promise((wake) => setTimeout(wake, FIRST_WAIT_MS * 2 ** turn));
    }
  }
}

/**
 * @param {File} file
 * @param {{uploads: string, chunk: number, signal: AbortSignal, onProgress: (received: number) => void, onWait: (waiting: boolean) => void}} options
 * @returns {Promise<string>} the upload's id, once the server has every byte
 */
export async function upload(file, { uploads, chunk, signal, onProgress, onWait }) {
  const announced = JSON.stringify({ name: file.name, size: file.size });
  let state = await persist(() => ask(uploads, "POST", announced, signal), onWait, signal);
  onProgress(state.received);
  while (state.received < file.size) {
    const from = state.received;
    const piece = file.slice(from, from + chunk);
    state = await persist(() => ask(`${state.url}?offset=${from}`, "PUT", piece, signal), onWait, signal);
    onProgress(state.received);
  }
  return state.id;
}
