"""The look that reports and the dashboard share: style, scripts, and the shell of a self-contained page."""
