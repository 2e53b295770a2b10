"""Writing a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from physnn.errors import ExperimentError


def write_whole(path: str | Path, content: bytes) -> Path:
    """Write `content` beside `path` and move it into place, so that a reader never sees half a file.

    Raises
    ------
    ExperimentError
        The folder is missing, read-only or full.
    """
    target = Path(path)
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(content)
        os.replace(draft, target)
    except OSError as error:
        raise ExperimentError(
            f"cannot write {target}: {error.strerror or error}; choose an output folder that can be written"
        ) from None
    finally:
        # Gone already where all went well; where the folder is no folder there is nothing to remove.
        with contextlib.suppress(OSError):
            draft.unlink()
    return target
