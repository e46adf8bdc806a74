/** A device: the measuring that is under way, and its agent. */
import { refreshParts } from "../refresh.js";
import { followPageRun } from "../run_panel.js";

const REFRESH_EVERY_MS = 5000;

followPageRun();
// An agent comes and goes without any event: look now and then while somebody is looking.
if (document.querySelector("#agent")) {
  setInterval(() => {
    if (!document.hidden) refreshParts();
  }, REFRESH_EVERY_MS);
}
