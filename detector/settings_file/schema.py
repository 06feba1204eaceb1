"""JSON Schema of the settings file, for editors."""

from __future__ import annotations

from typing import Any

from detector.settings import Settings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_FROM_ENVIRONMENT = {"type": "string", "pattern": r"\$\{[A-Za-z_]"}
_ABOUT = ("title", "description", "default")


def settings_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12, of what `load_settings` accepts.

    It is wider than the settings models in two ways, as the file is: ``${NAME}`` may stand for any value, and a section
    may be empty.
    """
    schema = Settings.model_json_schema(mode="validation")
    for model in [schema, *schema.get("$defs", {}).values()]:
        required = model.get("required", ())
        for name, field in model.get("properties", {}).items():
            model["properties"][name] = _widened(field, name not in required)
    return {"$schema": _DIALECT, **schema, "title": "Settings of reconstream"}


def _widened(field: dict[str, Any], has_default: bool) -> dict[str, Any]:
    about = {word: field[word] for word in _ABOUT if word in field}
    core = {word: value for word, value in field.items() if word not in about}
    if "$ref" in core:
        # The defaults stand with the settings inside; a copy of them here would hold this machine's name.
        about.pop("default", None)
        return {"anyOf": [core, {"type": "null"}], **about} if has_default else field
    if core.get("type") in ("integer", "number", "boolean") or "enum" in core or "pattern" in core:
        return {"anyOf": [core, _FROM_ENVIRONMENT], **about}
    if "anyOf" in core and not any(part.get("type") == "string" for part in core["anyOf"]):
        return {"anyOf": [*core["anyOf"], _FROM_ENVIRONMENT], **about}
    return field
