"""The settings file: read it, say what is wrong with it, write a first one, describe it.

`detector.settings` says what the settings are; this package is about the YAML file and the environment they come from.
"""

from detector.settings_file.fingerprint import fingerprint, shaping_settings
from detector.settings_file.loading import load_settings

__all__ = ["fingerprint", "load_settings", "shaping_settings"]
