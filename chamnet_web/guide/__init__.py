"""Help inside the application: the guide's chapters, the glossary, and which of them helps on which page."""
