"""Forms that begin tables, predictors, energy predictors, searches and models, a module each."""
