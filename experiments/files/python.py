"""Python files that belong to an article: loaded by their path, so that no package needs to know them."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

from experiments.files.errors import UserError, code_place, display_path


def load_module(path: Path, advice: str) -> ModuleType:
    """The module at `path`. Raises `UserError` ending in `advice` for whatever goes wrong while it is loaded."""
    name = "article_" + re.sub(r"\W", "_", str(path.resolve()))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{display_path(path)}: not a .py file. {advice}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up their module there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # an exit with status 0 would count as success
        raise UserError(f"{code_place(error, path)}: {type(error).__name__}: {error}. {advice}") from error
    return module
