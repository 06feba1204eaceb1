"""What several commands share: opening bundles and series, putting streams together, times, progress."""
