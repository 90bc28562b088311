"""Zip archives with the same bytes for the same files."""

import io
import zipfile
from collections.abc import Mapping

from autograder.release.folders import FileContent


def zipped(files: Mapping[str, FileContent]) -> bytes:
    """Return a zip of the files, by name, with their executable bits."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in sorted(files.items()):
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if file.executable else 0o100644) << 16
            archive.writestr(entry, file.content)
    return buffer.getvalue()
