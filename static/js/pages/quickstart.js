/** The whole chain as stages: each change fetches them anew. */
import { refreshParts } from "../refresh.js";
import { followPageRun } from "../run_panel.js";

const REFRESH_EVERY_MS = 5000;

followPageRun({ stage: () => refreshParts(), progress: () => refreshParts() });
// The stages' own progress is told by their own runs: look at it now and then while somebody is looking.
setInterval(() => {
  if (!document.hidden && document.querySelector("#live")?.getAttribute("data-live") === "live") refreshParts();
}, REFRESH_EVERY_MS);
