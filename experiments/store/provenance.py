"""Where a result comes from: the commit of the code, and the machine, without its name or its user's."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import TypedDict

ROOT = Path(__file__).parents[2]


class CodeVersion(TypedDict):
    """The commit of the code."""

    commit: str  # "" where git is missing
    dirty: bool | None  # whether tracked files differ from the commit


class Machine(TypedDict):
    """What a training depends on of the machine."""

    processor: str
    system: str
    threads: int


def code_version(root: Path = ROOT) -> CodeVersion:
    """The commit that is checked out in `root`, and whether tracked files differ from it; "" and None without git."""
    unknown: CodeVersion = {"commit": "", "dirty": None}
    if not (root / ".git").exists():  # else git would name the commit of a repository around this folder
        return unknown
    # Unlike `git describe --dirty`, this never writes: a call that is killed leaves no lock behind. The folder is safe
    # whoever owns it, as when root runs a user's checkout: its code runs already.
    safe = f"safe.directory={root.resolve()}"
    command = ["git", "-c", safe, "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        result = subprocess.run(
            command, cwd=root, env=git_environment(), capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return unknown
    headers, changes = (
        [line for line in result.stdout.splitlines() if line.startswith("# ") == header] for header in (True, False)
    )
    commit = headers[0].removeprefix("# branch.oid ")
    return unknown if commit == "(initial)" else {"commit": commit, "dirty": bool(changes)}


def git_environment() -> dict[str, str]:
    """The environment in which git uses the repository of its working folder, even inside another one's hook."""
    places = ("DIR", "WORK_TREE", "COMMON_DIR", "INDEX_FILE", "OBJECT_DIRECTORY", "NAMESPACE")
    other = {f"GIT_{place}" for place in places}
    return {name: value for name, value in os.environ.items() if name not in other}


def machine(threads: int, accelerator: str = "") -> Machine:
    """What a training's times depend on, besides versions."""
    with_ = f" with {accelerator}" if accelerator else ""
    return {"processor": processor() + with_, "system": platform.system(), "threads": threads}


def processor() -> str:
    """The processor's name, as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
