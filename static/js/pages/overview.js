/** The overview: every run it lists is followed. */
import { followListedRuns } from "../run_panel.js";

followListedRuns();
