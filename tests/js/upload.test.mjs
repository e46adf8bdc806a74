import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { UploadRefused, upload } from "../../static/js/upload.js";

globalThis.document = { querySelector: () => ({ value: "a token" }) };

/** Uploads a file to a server that answers as `answer` does. @returns {Promise<{error: any, requests: number}>} */
async function uploaded(answer) {
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    answer(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const options = { uploads: `http://127.0.0.1:${server.address().port}/uploads/`, chunk: 4, signal: new AbortController().signal };
  const error = await upload(new File(["images"], "images.zip"), { ...options, onProgress: () => {}, onWait: () => {} }).then(() => null, (found) => found);
  server.close();
  return { error, requests };
}

const page = (response, status) => response.writeHead(status, { "Content-Type": "text/html" }).end("<!doctype html>");

test("an upload whose session is over says to sign in again, at once", async () => {
  const redirected = await uploaded((request, response) => {
    if (request.method === "POST") response.writeHead(302, { Location: "/accounts/sign-in/" }).end();
    else page(response, 200);
  });
  const forbidden = await uploaded((_, response) => page(response, 403));
  for (const { error } of [redirected, forbidden]) {
    assert.ok(error instanceof UploadRefused);
    assert.match(error.message, /no longer signed in.*sign in again/);
  }
  assert.deepEqual([redirected.requests, forbidden.requests], [2, 1]);
});

test("an upload that a server in between refuses says so", async () => {
  const { error, requests } = await uploaded((_, response) => page(response, 413));
  assert.match(error.message, /refuses pieces of this size/);
  assert.equal(requests, 1);
});

test("an upload that is refused with a reason gives the reason", async () => {
  const { error } = await uploaded((_, response) => response.writeHead(422, { "Content-Type": "application/json" }).end('{"problem": "Too large."}'));
  assert.equal(error.message, "Too large.");
});
