"""Few-shot images: a bank of glyphs that ships, sets that other packages ship, and folders of the user's own."""
