"""Series kept in files: Parquet, CSV and JSON Lines in, scores out."""
