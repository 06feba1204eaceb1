"""Looking into the HDF5 file of a model's weights: plain numbers that lie in the file itself.

HDF5 can link to other files, keep a dataset's values in them, compress a petabyte into a page, and load filters as
shared libraries. Weights that Keras writes use none of that.
"""

from __future__ import annotations

import io
from importlib import import_module
from typing import Any, Final

from models.errors import ModelsError
from models.formats.refusal import refused

_MAX_OBJECTS: Final = 10_000
_MAX_BYTES: Final = 512 << 20


def check_weights(data: bytes, where: object) -> None:
    """Check that an HDF5 file holds groups and plain, uncompressed arrays of numbers, and leads nowhere else.

    Args:
        data: Of the file.
        where: The file that holds it, for messages.

    Raises:
        BundleError: it holds something else.
        ModelsError: h5py, which Keras brings, is not installed.
    """
    try:
        h5py = import_module("h5py")
    except ImportError as error:
        raise ModelsError(
            f"Keras is not usable here ({error}); install it with: pip install 'reconstream[keras-cpu]'"
        ) from error
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            problem = _problem(h5py, file)
    except Exception as error:  # whatever HDF5 stumbles over, h5py turns into one of a dozen kinds
        raise refused(where, f"its weights are no sound HDF5 file ({str(error)[:100]})") from error
    if problem is not None:
        raise refused(where, f"its weights {problem}")


def _problem(h5py: Any, file: Any) -> str | None:
    """What is wrong, walking without recursion and without following anything but hard links."""
    seen: set[int] = set()
    waiting = [file["/"]]
    total_bytes = 0
    while waiting:
        group = waiting.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                return f"link to another file, {str(link.filename)[:60]!r}"
            if not isinstance(link, h5py.HardLink):
                return f"hold a symbolic link, {str(name)[:60]!r}"
            found = group[name]
            address = h5py.h5o.get_info(found.id).addr
            if address in seen:
                return f"hold {str(found.name)[:60]!r} under two names"
            seen.add(address)
            if len(seen) > _MAX_OBJECTS:
                return f"hold more than {_MAX_OBJECTS:,} objects"
            if isinstance(found, h5py.Group):
                waiting.append(found)
                continue
            if not isinstance(found, h5py.Dataset):
                return f"hold {str(name)[:60]!r}, which is neither a group nor an array"
            if problem := _dataset_problem(found):
                return problem
            total_bytes += found.nbytes
            if total_bytes > _MAX_BYTES:
                return f"unfold to more than {_MAX_BYTES:,} bytes"
    return None


def _dataset_problem(found: Any) -> str | None:
    name = str(found.name)[:60]
    plist = found.id.get_create_plist()
    if plist.get_external_count():
        return f"keep {name!r} in another file, {str(plist.get_external(0)[0])[:60]}"
    if found.is_virtual:
        return f"take {name!r} from other files or arrays"
    if found.dtype.kind not in "fiub" or found.dtype.itemsize > 8:
        return f"hold {name!r}, which is not numbers"
    if plist.get_nfilters() or found.chunks is not None or found.id.get_storage_size() != found.nbytes:
        return f"hold {name!r} compressed or incomplete"
    return None
