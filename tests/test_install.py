"""An installation takes what the lock names and nothing else, and is finished or made anew; all on made-up packages.

Their registry is a folder. uv is the real one, packed again from where it is installed.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
LAYERS = ("page", "train", "cluster", "dev")


def wheel(folder: Path, name: str, version: str, files: dict[str, bytes], requires: str = "", tag: str = "") -> str:
    """Packs a wheel into `folder`; returns its line in a lock."""
    tag = tag or "py3-none-any"
    info = f"{name}-{version}.dist-info"
    described = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    described += f"Requires-Dist: {requires}\n" if requires else ""
    files = {
        **files,
        f"{info}/METADATA": described.encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    record = "".join(f"{path},sha256={digest(content)},{len(content)}\n" for path, content in files.items())
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n".encode()}.items():
            member = zipfile.ZipInfo(file)
            member.external_attr = 0o100755 << 16  # a regular file that may be run
            archive.writestr(member, content)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder of wheels, of some a newer version than is locked; and the locks' lines."""
    folder = tmp_path_factory.mktemp("registry")
    uv = metadata.distribution("uv")
    own = {str(file): Path(str(uv.locate_file(file))).read_bytes() for file in uv.files or () if file.parts[0] == "uv"}
    binary = next(Path(str(uv.locate_file(file))) for file in uv.files or () if file.name == "uv")
    tag = re.search(r"^Tag: (\S+)", uv.read_text("WHEEL") or "", re.MULTILINE)
    assert tag
    scripts = {f"uv-{uv.version}.data/scripts/uv": binary.read_bytes()}
    lines = {"uv": wheel(folder, "uv", uv.version, {**own, **scripts}, tag=tag[1])}
    lines["alpha"] = wheel(folder, "alpha", "1.0", {"alpha.py": b"version = 1\n"}, "beta[extra]>=1.0")
    wheel(folder, "alpha", "1.1", {"alpha.py": b"version = 1.1\n"})
    lines["beta"] = wheel(folder, "beta", "1.0", {"beta.py": b"version = 1\n"}, 'gamma>=1; extra == "extra"')
    wheel(folder, "beta", "2.0", {"beta.py": b"version = 2\n"})
    lines["gamma"] = wheel(folder, "gamma", "1.0", {"gamma.py": b"version = 1\n"})
    return folder, lines


class Project:
    """A folder with the installer, and locks of made-up packages."""

    def __init__(self, root: Path, registry: Path, lines: dict[str, str]):
        self.root, self.lines = root, lines
        self.locks = root / "requirements"
        self.locks.mkdir(parents=True)
        shutil.copy(ROOT / "requirements" / "install.py", self.locks)
        (self.locks / "uv.txt").write_text(lines["uv"])
        for layer in LAYERS:
            self.lock(layer, "alpha", "beta", "gamma")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))},
            **{"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(registry), "PIP_NO_CACHE_DIR": "1"},
            **{"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(registry), "UV_CACHE_DIR": str(root / "cache")},
        }

    def lock(self, layer: str, *packages: str) -> None:
        (self.locks / f"{layer}.txt").write_text("".join(self.lines[package] for package in packages))

    def command(self, layer: str) -> list[str]:
        return [sys.executable, str(self.locks / "install.py"), layer]

    def install(self, layer: str = "page", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(layer), env=self.environment | environment, capture_output=True, text=True, cwd=self.root
        )

    def installed(self) -> dict[str, str]:
        """Name and version of what is in the environment, besides pip and uv."""
        ask = "from importlib.metadata import distributions as d; print(*(f'{x.name}=={x.version}' for x in d()))"
        python = self.root / ".venv" / "bin" / "python"
        result = subprocess.run([python, "-I", "-c", ask], capture_output=True, text=True, check=True)
        found = dict(pair.split("==") for pair in result.stdout.split())
        return {name: version for name, version in found.items() if name not in ("pip", "uv", "setuptools", "wheel")}


@pytest.fixture
def project(tmp_path: Path, registry: tuple[Path, dict[str, str]]) -> Project:
    return Project(tmp_path / "a project's folder", *registry)


LOCKED = {"alpha": "1.0", "beta": "1.0", "gamma": "1.0"}


@pytest.fixture(scope="module")
def installed(registry: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with its page layer, which was installed under hostile settings; tests leave it as it is."""
    tmp_path = tmp_path_factory.mktemp("installed")
    project = Project(tmp_path / "a project's folder", *registry)
    (tmp_path / "pip.py").write_text("raise SystemExit('the pip of PYTHONPATH ran')")
    (tmp_path / "constraints.txt").write_text("alpha==1.1\n")
    hostile = {
        **{"PIP_TARGET": str(tmp_path / "elsewhere"), "PIP_USER": "1", "PIP_NO_BINARY": ":all:"},
        **{"PIP_PREFIX": str(tmp_path / "elsewhere"), "PIP_DRY_RUN": "1"},
        **{"PIP_CONSTRAINT": str(tmp_path / "constraints.txt"), "UV_CONSTRAINT": str(tmp_path / "constraints.txt")},
        **{"PYTHONPATH": str(tmp_path), "PYTHONHOME": "", "PYTHONOPTIMIZE": "2", "UV_SYSTEM_PYTHON": "1"},
        **{"VIRTUAL_ENV": str(tmp_path / "another"), "UV_NO_VERIFY_HASHES": "1"},
    }
    result = project.install(**hostile)
    assert (result.returncode, result.stderr) == (0, "")
    return project


def test_locked_versions_are_installed_despite_newer_releases_and_the_users_settings(installed: Project) -> None:
    assert installed.installed() == LOCKED
    assert not (installed.root.parent / "elsewhere").exists()


def test_an_installed_layer_is_not_installed_again_and_needs_no_network(installed: Project) -> None:
    offline = {"UV_FIND_LINKS": "/nowhere", "PIP_FIND_LINKS": "/nowhere"}
    result = installed.install("page", **offline)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.slow("it makes environments anew")
def test_nothing_from_the_old_lock_is_left_after_the_lock_changes(project: Project) -> None:
    project.lock("page", "beta", "gamma")
    project.install("page")
    project.lock("page", "gamma")
    assert project.install("page").returncode == 0
    assert project.installed() == {"gamma": "1.0"}


def test_what_needs_other_versions_gets_an_environment_of_its_own_that_follows_its_lock(installed: Project) -> None:
    apart = installed.root / ".venv" / "audit"
    call = f"import install, pathlib; print(install.install_apart('audit', pathlib.Path({str(apart)!r})))"
    for packages in (("alpha", "beta", "gamma"), ("gamma",)):
        installed.lock("audit", *packages)
        for environment in ({}, {"UV_FIND_LINKS": "", "UV_OFFLINE": "1"}):  # the second time nothing is fetched
            done = subprocess.run(
                [sys.executable, "-c", call],
                env=installed.environment | environment,
                cwd=installed.locks,
                text=True,
                capture_output=True,
            )
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.splitlines()[-1] == str(apart / "bin" / "python")
        assert {path.stem for path in apart.glob("lib/*/site-packages/*.py")} - {"_virtualenv"} == {*packages}
    assert installed.installed() == LOCKED


def test_an_interrupted_installation_does_not_count_as_complete(installed: Project) -> None:
    venv = installed.root / ".venv"
    next(venv.glob("lib/*/site-packages/alpha.py")).unlink()  # but its metadata says that it is there
    (venv / ".page").unlink()
    (venv / ".unfinished").touch()
    assert installed.install("page").returncode == 0
    assert next(venv.glob("lib/*/site-packages/alpha.py")).exists()


@pytest.mark.slow("it makes environments anew")
def test_an_environment_whose_lock_changed_is_rebuilt_even_when_run_with_its_own_python(project: Project) -> None:
    project.install("page")
    project.lock("page", "gamma")
    own = project.root / ".venv" / "bin" / "python"  # as `python3` is, where that environment is activated
    result = subprocess.run(
        [own, *project.command("page")[1:]], env=project.environment, capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert project.installed() == {"gamma": "1.0"}


@pytest.mark.slow("it makes environments anew")
def test_uv_uses_the_index_from_pips_settings(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.install("page")
    module = loaded(project.locks / "install.py")
    monkeypatch.setattr(os, "environ", project.environment)
    assert module._index() == []
    settings = project.root / "pip.conf"
    settings.write_text("[global]\nindex_url = https://mirror.example/simple\n".replace("_", "-"))
    monkeypatch.setitem(project.environment, "PIP_CONFIG_FILE", str(settings))
    assert module._index() == ["--default-index", "https://mirror.example/simple"]
    monkeypatch.setitem(project.environment, "UV_DEFAULT_INDEX", "https://another.example/simple")
    assert module._index() == []


@pytest.mark.slow("it makes environments anew")
@pytest.mark.parametrize("said", ["Setting up", "Installing"])
def test_the_next_call_completes_an_installation_that_was_killed(project: Project, said: str) -> None:
    process = subprocess.Popen(
        project.command("page"), env=project.environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout
    while not process.stdout.readline().startswith(said):
        pass
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (project.root / ".venv" / ".page").exists()
    assert project.install("page").returncode == 0
    assert project.installed() == LOCKED


@pytest.mark.slow("it makes environments anew")
def test_two_simultaneous_calls_both_end_with_everything_installed(project: Project) -> None:
    calls = [subprocess.Popen(project.command(layer), env=project.environment) for layer in ("page", "train")]
    assert [call.wait() for call in calls] == [0, 0]
    assert project.installed() == LOCKED


def test_a_file_with_another_hash_is_refused(project: Project) -> None:
    lock = project.locks / "page.txt"
    lock.write_text(re.sub("sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, lock.read_text(), count=1))
    result = project.install("page")
    assert result.returncode == 2
    assert "is not the one that was locked" in result.stderr.splitlines()[-1]
    assert not (project.root / ".venv" / ".page").exists()


@pytest.mark.slow("it makes environments anew")
def test_an_incomplete_lock_is_refused(project: Project) -> None:
    project.lock("page", "alpha")
    result = project.install("page")
    assert result.returncode == 2
    assert "beta" in result.stderr
    assert not (project.root / ".venv" / ".page").exists()


@pytest.mark.parametrize("kind", ["a file", "a dangling link", "a link to a folder"])
def test_a_venv_path_that_is_not_an_environment_is_named_and_left_alone(
    project: Project, tmp_path: Path, kind: str
) -> None:
    venv, kept = project.root / ".venv", tmp_path / "kept" / "precious"
    kept.parent.mkdir()
    kept.touch()
    if kind == "a file":
        venv.write_text("mine")
    else:
        venv.symlink_to("/no/where" if kind == "a dangling link" else kept.parent)
    result = project.install("page")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert f"{venv}: not a virtual environment" in result.stderr
    assert kept.exists()
    assert venv.is_symlink() or venv.read_text() == "mine"


@pytest.mark.parametrize("folder", ["a:b", b"caf\xe9"], ids=["the separator of PATH", "bytes that are no text"])
def test_a_folder_that_cannot_hold_an_environment_is_named(project: Project, folder: str | bytes) -> None:
    root = project.root.with_name(os.fsdecode(folder))
    try:
        project.root.rename(root)
    except OSError:
        pytest.skip("this file system has no such name")
    project.root, project.locks = root, root / "requirements"
    result = project.install("page")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "Rename the folder" in result.stderr
    assert not (root / ".venv").exists()


@pytest.mark.slow("it makes environments anew")
def test_pip_settings_that_install_elsewhere_are_named_and_can_be_overridden(project: Project, tmp_path: Path) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text(f"[install]\ntarget = {tmp_path / 'elsewhere'}\n")
    result = project.install("page", PIP_CONFIG_FILE=str(settings))
    assert result.returncode == 2
    assert "PIP_CONFIG_FILE=/dev/null" in result.stderr.splitlines()[-1]
    assert project.install("page", PIP_CONFIG_FILE="/dev/null").returncode == 0


def test_characters_that_the_terminal_cannot_show_stop_nothing(
    installer: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(installer, "install", lambda layer: print(f"Installing {layer} …"))
    assert installer.main(["page"]) == 0
    terminal.flush()
    assert terminal.buffer.getvalue() == b"Installing page ?\n"  # type: ignore[attr-defined]


@pytest.mark.slow("it makes environments anew")
def test_a_missing_network_is_one_line_with_the_fix(project: Project, installer: ModuleType) -> None:
    address = "http://127.0.0.1:9/nothing"
    result = project.install(
        PIP_NO_INDEX="0", PIP_FIND_LINKS="", PIP_INDEX_URL=address, PIP_RETRIES="0", PIP_TIMEOUT="1"
    )
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1] == f"error: the set-up of .venv failed (see above). {installer.NETWORK}"


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def installer() -> ModuleType:
    return loaded(ROOT / "requirements" / "install.py")


OLDEST_PIP = "pip==22.3 --hash=sha256:1daab4b8d3b97d1d763caeb01a4640a2250a0ea899e257b1e44b9eded91e15ab\n"


@pytest.mark.slow("it takes that pip from the package registry")
def test_the_oldest_pip_bundled_with_a_supported_python_installs_the_locked_packages(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = loaded(project.locks / "install.py")
    run, old = module._run, tmp_path / "pip.txt"
    old.write_text(OLDEST_PIP)  # of Python 3.11.0
    ran: list[str] = []

    def with_old_pip(command: list[str]) -> None:
        if "pip" in command and "uv.txt" in command[-1]:
            uv = [
                str(Path(sys.executable).with_name("uv")),
                "pip",
                "install",
                "--quiet",
                "--python",
                str(module.PYTHON),
            ]
            subprocess.run([*uv, "--require-hashes", "-r", str(old)], check=True)
            version = subprocess.run([module.PYTHON, "-m", "pip", "--version"], capture_output=True, text=True)
            ran.append(version.stdout.split()[1])
        run(command)

    monkeypatch.setattr(module, "_run", with_old_pip)
    monkeypatch.setattr(os, "environ", project.environment)
    assert module.main(["page"]) == 0
    assert ran == ["22.3"]
    assert project.installed() == LOCKED


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("The virtual environment was not created successfully because ensurepip is not available.", "python3-venv"),
        ("error: failed to write to file: No space left on device (os error 28)", "Free some space"),
        ("[Errno 13] Permission denied: '.venv'", "Make this folder writable"),
        (
            "error: Failed to initialize cache at `/x/uv`\n  cause: failed to create directory `/x/uv`: "
            "Permission denied (os error 13)",
            "UV_CACHE_DIR",
        ),
        ("error: Failed to fetch: `https://example.org/xxhash.whl`\n  Caused by: dns error", "With the network back"),
        ("error: something new", "Fix that"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "do not use it"),
        ("error: Failed to fetch: dns error: Temporary failure in name resolution", "With the network back"),
        ("tensorflow==2.21.0 has no wheels with a matching platform tag", "PYTHON=path/to/python3.12"),
    ],
)
def test_a_failed_installation_is_explained_with_the_fix(installer: ModuleType, said: str, fix: str) -> None:
    assert fix in installer._fix(said)


# ---------------------------------------------------------------------------------------------- the locks themselves


def pins(layer: str) -> list[Requirement]:
    lines = re.findall(r"^([\w.-]+==.*?)\s*\\?$", (ROOT / "requirements" / f"{layer}.txt").read_text(), re.MULTILINE)
    return [Requirement(line) for line in lines]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("layer", LAYERS)
def test_every_requirement_of_a_locked_package_is_locked_too(layer: str, python: str) -> None:
    """As far as the packages that are installed here tell: versions that other Pythons get may ask for more."""
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
    locked = {
        canonical(pin.name): pin for pin in pins(layer) if not pin.marker or pin.marker.evaluate(dict(environment))
    }
    extras: dict[str, set[str]] = {name: {""} for name in locked}
    for _ in range(3):  # an extra may ask for another one's
        for name in locked:
            for asked in metadata.requires(name) or ():
                requirement = Requirement(asked)
                marker = requirement.marker
                if marker and not any(marker.evaluate({**environment, "extra": extra}) for extra in extras[name]):
                    continue
                pin = locked.get(canonical(requirement.name))
                assert pin, f"{name} needs {requirement}, which {layer}.txt does not name"
                (version,) = (specifier.version for specifier in pin.specifier)
                assert requirement.specifier.contains(version, prereleases=True), f"{name} needs {requirement}"
                extras[canonical(requirement.name)] |= requirement.extras


def test_each_layer_includes_the_layers_before_it() -> None:
    named = [{str(pin) for pin in pins(layer)} for layer in LAYERS]
    assert named[0] < named[1] < named[2] < named[3]
