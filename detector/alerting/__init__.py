"""From scores to incidents: one fault, one incident, told in events that never depend on timing or batches."""
