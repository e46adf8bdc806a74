"""Telling people elsewhere that a run has ended: by e-mail and by webhook."""
