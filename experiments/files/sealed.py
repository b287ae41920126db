"""JSON files that the program writes, each sealed: it begins with the SHA-256 of its rest.

A file that was damaged or edited is refused before it is parsed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.files import reading
from experiments.files.errors import UserError, display_path

_REBUILD = "Run 'make report': it is rebuilt from the stored runs."
_SEAL = '{"sha256":"%s",'  # the first key of a sealed file; the digest is that of all bytes after it


_SEAL_BYTES = len(_SEAL % "") + 64


def compact(value: object) -> bytes:
    """Compact JSON, the same bytes for equal values; NaN is refused, since few readers know it."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True).encode()


def to_json(value: Mapping[str, object]) -> bytes:
    """A JSON file: compact, and sealed."""
    rest = compact(value)[1:]
    return (_SEAL % hashlib.sha256(rest).hexdigest()).encode() + rest


def _verified_bytes(path: Path, fix: str) -> bytes:
    """The file's bytes. Raises `UserError` if they were damaged or edited since `to_json` made them."""
    content = reading.read(path, fix)
    seal = (_SEAL % hashlib.sha256(memoryview(content)[_SEAL_BYTES:]).hexdigest()).encode()
    if not content.startswith(seal):
        raise UserError(
            f"{display_path(path)}: not what this version wrote: "
            f"the SHA-256 at its beginning is not that of its rest. {fix}"
        )
    return content


def read_json(path: Path, format_: int, fix: str = _REBUILD) -> dict[str, Any]:
    """What `to_json` was given. Raises `UserError` if the file was damaged or edited since, or is of another format."""
    try:
        value: dict[str, Any] = json.loads(_verified_bytes(path, fix))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{display_path(path)}: sealed, but no JSON ({error}). {fix}") from error
    if value.get("format") != format_:
        raise UserError(f"{display_path(path)}: format {value.get('format')}, expected {format_}. {fix}")
    del value["sha256"]
    return value


def is_made_from(path: Path, inputs: str) -> bool:
    """Whether the derived file at `path` is whole and was made from inputs of this digest; without parsing it.

    Derived files are rebuilt from the stored runs, so no user need hear of a damaged one.
    """
    try:
        return f'"inputs":"{inputs}"'.encode() in _verified_bytes(path, _REBUILD)
    except UserError:
        return False
