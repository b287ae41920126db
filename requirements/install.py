"""Installs one layer of the locked requirements into .venv: exactly what the lock names, and nothing is resolved.

    python requirements/install.py page | train | cluster | dev

The pip that came with Python installs uv, and uv installs the layer; every file of both is checked against its hash
and comes as a wheel. So the day, the age of pip and what has been released since make no difference. Settings of the
user's for pip, uv and Python are ignored, except those that say how to reach the package index. (uv does not read pip's
settings; of those it is told the index alone.)

A complete layer has a stamp, `.venv/.<layer>`, with the digest of its lock. Where a lock has changed since, or an
installation was interrupted (`.venv/.unfinished`), the environment is made anew: downloads are in uv's cache.
Needs nothing but Python; `make` calls it with the first suitable one that it finds.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent
VENV = HERE.parent / ".venv"
PYTHON, UV = VENV / "bin" / "python", VENV / "bin" / "uv"
UNFINISHED = VENV / ".unfinished"
LAYERS = {  # what each is for; its size is that of all its files with those of the layers before
    "page": "to make and verify pages (0.3 GB)",
    "train": "to train networks, above all TensorFlow (2.3 GB)",
    "cluster": "to train on a Dask cluster (2.4 GB)",
    "dev": "to test and to develop (2.8 GB)",
}
IGNORED = re.compile(r"(PIP|UV|CONDA)_|PYTHON|VIRTUAL_ENV")  # environment variables that change what is installed
KEPT = re.compile(  # but not those that say how to reach the package index, and where to cache
    r"PIP_CONFIG_FILE|(PIP|UV)_(DEFAULT_INDEX|(EXTRA_)?INDEX(_.*)?|FIND_LINKS|NO_INDEX|CACHE_DIR|NO_CACHE(_DIR)?|"
    r"((CLIENT|SYSTEM)_)?CERTS?|NATIVE_TLS|PROXY|TRUSTED_HOST|INSECURE_HOST|KEYRING_PROVIDER|"
    r"(DEFAULT_|HTTP_)?TIMEOUT|(HTTP_)?RETRIES|LINK_MODE|CONCURRENT_.*|OFFLINE)"
)


class Failure(Exception):
    """What went wrong and how to fix it, in one line."""


def main(arguments: list[str]) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not every terminal has every character
    try:
        if len(arguments) != 1 or arguments[0] not in LAYERS:
            raise Failure(f"expected one layer: {', '.join(LAYERS)}.")
        with _own_file() as lock:  # two calls at once: the second waits, then finds everything there
            fcntl.flock(lock, fcntl.LOCK_EX)
            install(arguments[0])
        return 0
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 2
    except OSError as error:
        path = error.filename if os.path.isabs(error.filename or "") else VENV  # of a removal: a bare name
        print(f"error: {path}: {error.strerror or error}. {_fix(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. The same command starts the set-up again; what was downloaded is kept.", file=sys.stderr)
        return 130


def _own_file() -> IO[bytes]:
    """This file, to lock it; open for writing where that is allowed, since NFS locks no other."""
    try:
        return open(__file__, "rb+")
    except OSError:
        return open(__file__, "rb")


def install(layer: str) -> None:
    """Brings `.venv` up to `layer`, from whatever state it is in."""
    stamps = {VENV / f".{name}": _digest(HERE / "uv.txt", HERE / f"{name}.txt") for name in LAYERS}
    stale = any(stamp.exists() and stamp.read_text(errors="replace") != digest for stamp, digest in stamps.items())
    if stale or UNFINISHED.exists() or not _works():
        _make_anew()
    stamp, lock = VENV / f".{layer}", HERE / f"{layer}.txt"
    if not stamp.exists():
        print(f"Installing what is needed {LAYERS[layer]} …", flush=True)
        UNFINISHED.touch()
        _install_lock(lock, PYTHON)
        UNFINISHED.unlink()
    stamp.write_text(stamps[stamp])  # now it is younger than its lock


def install_apart(name: str, folder: Path) -> Path:
    """Installs `<name>.txt` into an environment of its own: programs that need other versions. Returns its Python.

    `.venv` must have a layer already. Raises `Failure`.
    """
    lock, python, stamp = HERE / f"{name}.txt", folder / "bin" / "python", folder / ".complete"
    if not stamp.exists() or stamp.read_text(errors="replace") != _digest(lock):
        shutil.rmtree(folder, ignore_errors=True)
        _run([str(UV), "venv", "--no-config", "--python", str(PYTHON), str(folder)])
        _install_lock(lock, python)
        stamp.write_text(_digest(lock))
    return python


def _install_lock(lock: Path, python: Path) -> None:
    here = ["--python", str(python), "--no-config"]
    exactly = ["--require-hashes", "--no-deps", "--no-build", "-r", str(lock)]
    _run([str(UV), "pip", "install", *here, *_index(), *exactly])
    _run([str(UV), "pip", "check", *here])


def _index() -> list[str]:
    """The package index of pip's settings as uv's option, where uv was not told one itself."""
    if "UV_DEFAULT_INDEX" in os.environ or "UV_INDEX_URL" in os.environ:
        return []
    listing = [str(PYTHON), "-I", "-m", "pip", "config", "list"]
    settings = subprocess.run(listing, env=_environment(), capture_output=True, text=True, errors="replace").stdout
    found = dict(re.findall(r"^(:env:|install|global)\.index.url='(.*)'$", settings, re.MULTILINE))
    index = found.get(":env:") or found.get("install") or found.get("global")
    return ["--default-index", index] if index else []


def _digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def _works() -> bool:
    """Whether there is an environment with uv whose Python, perhaps upgraded or removed since, starts and has pip."""
    try:
        started = subprocess.run([PYTHON, "-I", "-c", "import pip"], env=_environment(), capture_output=True)
    except OSError:
        return False
    return started.returncode == 0 and UV.exists()


def _make_anew() -> None:
    """An empty environment with uv in it."""
    _check_place()
    print(f"Setting up {VENV.name} with Python {sys.version.split()[0]} …", flush=True)
    base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))  # not one in the folder that goes now
    if VENV.exists():
        if not os.access(HERE.parent, os.W_OK):  # it may be another user's and complete: none of its files goes
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(HERE.parent))
        shutil.rmtree(VENV)  # with its stamps
    VENV.mkdir()
    UNFINISHED.touch()
    _run([base, "-I", "-m", "venv", str(VENV)])
    pip = [str(PYTHON), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-user"]
    _run([*pip, "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(HERE / "uv.txt")])
    if not UV.exists():
        raise Failure(
            f"{UV}: missing, since pip's own settings have it install elsewhere ('pip config list' shows 'target' or "
            "'prefix'). Set them aside: to ignore them: PIP_CONFIG_FILE=/dev/null make …"
        )


def _check_place() -> None:
    """Raises `Failure` where `.venv` can't be made: in some folders, or where something else has that name."""
    if os.pathsep in str(VENV) or re.search("[\ud800-\udfff]", str(VENV)):
        raise Failure(
            f"{str(HERE.parent)!a}: Python can't have a virtual environment in a folder whose path has a "
            f"'{os.pathsep}' or bytes that are not valid text. Rename the folder, then run the same command again."
        )
    if VENV.is_symlink() or (VENV.exists() and not VENV.is_dir()):
        raise Failure(
            f"{VENV}: not a virtual environment, and not a folder. Expected either, or nothing. Remove it (rm "
            f"{VENV.name}; what a link points to is kept), then run the same command again."
        )


def _run(command: list[str]) -> None:
    """Runs `command`, passing on what it says of its progress. Raises `Failure` where it fails."""
    process = subprocess.Popen(
        command, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    said = []
    assert process.stdout
    for line in process.stdout:
        said.append(line)
        if re.match(r"\s*(Downloading|Installed) ", line):
            print(f"  {line.strip()}", flush=True)
    if process.wait():
        print("".join(said[-20:]), end="", file=sys.stderr)
        raise Failure(f"the set-up of {VENV.name} failed (see above). {_fix(''.join(said))}")


def _environment() -> dict[str, str]:
    """The user's environment without what would change what is installed."""
    kept = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name) or not IGNORED.match(name)}
    return kept


NETWORK = "With the network back, run the same command again."
FIXES = {  # by what the system or a tool says; the first that fits
    "ensurepip|No module named": "Install Python's venv and pip: sudo apt-get install python3-venv (Debian, Ubuntu), "
    "then run the same command again.",
    "No space left|quota exceeded": "Free some space (all layers take 2.8 GB) and run the same command again.",
    r"initialize cache.*\n.*(Permission denied|Read-only)": "Make uv's cache writable, or name another folder "
    "for it in UV_CACHE_DIR, and run the same command again.",
    "Permission denied|Read-only": "Make this folder writable, or copy the project to one that is, and run the same "
    "command again.",
    "(?i)hash mismatch|not match the hash": "A downloaded file is not the one that was locked: do not use it. "
    "Delete the caches (~/.cache/uv and ~/.cache/pip), run the same command again, and report it if that fails too.",
    "(?i)connect|fetch|dns|resolution|timed out|unreachable|from versions: none": NETWORK,
    "wheel|No matching distribution": "There is no built package for this system and Python. Use Python 3.11, 3.12 or "
    "3.13 on Linux or macOS: make clean-all, then make PYTHON=path/to/python3.12.",
    "": "Fix that, then run the same command again.",
}


def _fix(said: str) -> str:
    return next(fix for words, fix in FIXES.items() if re.search(words, said))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
