"""Help inside the application: the guide's chapters, the glossary, and which chapter belongs to which page."""
