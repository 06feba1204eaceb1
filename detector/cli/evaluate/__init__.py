"""``detector evaluate``: scores of a folder of labelled series, without reading a label."""
