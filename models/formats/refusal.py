"""How a file is refused that nothing of this product can have written."""

from __future__ import annotations

from models.errors import BundleError


def refused(where: object, what: str) -> BundleError:
    """The error for a model file with content that no architecture here leads to.

    Args:
        where: The file, for the message.
        what: What is in it.
    """
    return BundleError(
        f"{where}: {what}; no model of this program has that, so the file is not opened: copy the bundle again from "
        "where it was trained, or train anew"
    )
