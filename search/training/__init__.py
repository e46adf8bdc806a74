"""Data sets, recipes, training, export and verification.

`datasets`, `recipes`, `preprocessing`, `accuracy` and `card` import no torch, so that the web process can use
them; import everything from its module.
"""
