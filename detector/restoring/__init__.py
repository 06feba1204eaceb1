"""From what the state topic holds back to a pipeline, for a restart, for replay and for audit alike."""
