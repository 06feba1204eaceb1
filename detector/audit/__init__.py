"""Does what was written follow from the input? Recomputes it, compares, and changes nothing."""
