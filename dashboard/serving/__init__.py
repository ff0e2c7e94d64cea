"""How the pages are served."""
