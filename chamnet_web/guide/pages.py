"""Which chapter of the guide helps on which page: the name of an address -> (chapter, what it is about)."""

from __future__ import annotations

_TOPICS: dict[tuple[str, str], str] = {
    ("first-file", "the first steps"): "overview quickstart-run",
    ("devices", "devices"): "devices device device-new",
    ("tables", "latency tables"): "tables table table-new table-compare table-spaces",
    ("formats", "files of tables"): "table-import",
    ("energy", "energy and whole networks"): "costs cost cost-new",
    ("data-sets", "data sets"): "datasets dataset dataset-new",
    ("recipes", "recipes"): "recipes recipe recipe-new",
    ("predictors", "predictors"): "predictors predictor predictor-new predictor-import",
    ("searches", "searches"): "searches search search-new search-published",
    ("exploring", "reading candidates"): "candidate model-new",
    ("models", "models"): "models model model-try",
    ("studies", "studies"): "studies study study-new",
    ("explorer", "exploring and comparing"): "explore comparison",
    ("runs", "long work"): "runs",
    ("notices", "notices"): "notices",
    ("teams", "accounts and teams"): "account account-tokens team team-new password-change factor-new",
}
HELP_OF = {page: topic for topic, pages in _TOPICS.items() for page in pages.split()}
