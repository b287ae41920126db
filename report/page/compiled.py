"""Compiled templates, kept for the next process, because Jinja takes longer to compile them than to render the page.

Compiled code runs outside of the sandbox. So it lies where Python keeps its own of this folder, for whoever can write
there can run code without a template. And only this project's templates are kept: a folder that somebody sends may hold
any file, and its templates are compiled anew.
"""

from __future__ import annotations

import hashlib
import marshal
import sys
from contextlib import suppress
from pathlib import Path

from jinja2.bccache import Bucket, BytecodeCache

from experiments.files.durable import write_atomically
from experiments.plots import formats
from experiments.study import keys
from report.article.folder import DEFAULT

FOLDER = Path(__file__).parent / "__pycache__"
OURS = (Path(__file__).parents[2] / "templates", DEFAULT / "prose")
COMPILED_BY = (*(Path(__file__).with_name(name) for name in ("render.py", "compiled.py")), Path(formats.__file__))
SEAL = hashlib.sha256().digest_size


class Compiled(BytecodeCache):
    """What Jinja asks for compiled templates, each in a file of its own, which begins with the SHA-256 of all else."""

    def __init__(self) -> None:
        versions = dict(keys.versions("jinja2", "markupsafe"))
        self._compiler = keys.digest([sys.version, versions, [keys.file_digest(path) for path in COMPILED_BY]])

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """The name of a template's file; "" for one that is not kept."""
        path = Path(filename or "")
        if not any(path.is_relative_to(folder) for folder in OURS):
            return ""
        return f"template-{super().get_cache_key(name, filename)}.pyc"

    def get_source_checksum(self, source: str) -> str:
        return keys.digest([self._compiler, source])

    def load_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            content = (FOLDER / bucket.key).read_bytes() if bucket.key else b""
            if content[:SEAL] == _seal(bucket, content[SEAL:]):
                bucket.code = marshal.loads(content[SEAL:])

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.key and not sys.dont_write_bytecode:
            code = marshal.dumps(bucket.code)
            with suppress(OSError):  # as Python, where the project is installed for reading only
                write_atomically(FOLDER / bucket.key, _seal(bucket, code) + code)


def _seal(bucket: Bucket, code: bytes) -> bytes:
    return hashlib.sha256(bucket.checksum.encode() + code).digest()
