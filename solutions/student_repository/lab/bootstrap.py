# @title Set-up: run this cell first. On a laptop and in Codespaces it changes nothing.
# Colab and Kaggle open this sheet alone: the cell fetches the rest of your repository and installs missing packages.
# A private repository needs a secret named GITHUB_TOKEN (Colab: the key on the left; Kaggle: Add-ons, Secrets).
REPOSITORY = ""  # @param {type:"string"}  On Colab and Kaggle: https://github.com/OWNER/NAME, or your fork's address.
STAGE = ""

import base64  # noqa: E402
import importlib  # noqa: E402
import importlib.metadata  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

COLAB, DRIVE, KAGGLE = Path("/content"), Path("/content/drive/MyDrive"), Path("/kaggle")


def set_up(repository: str, stage: str) -> None:
    """Go to the stage's folder from wherever this sheet was opened; fetch the repository if it is missing."""
    here = Path.cwd()
    root = next((folder for folder in (here, *here.parents) if (folder / stage).is_dir()), None)
    if root is None:
        root = fetch(repository, stage)
        install(root / "requirements.txt")
    os.chdir(root / stage)
    if str(root / stage) not in sys.path:
        sys.path.insert(0, str(root / stage))
    # The other stages come before installed packages, as in pytest: one of those may have the name of a stage.
    packages = ("site-packages", "dist-packages")
    first = next((index for index, folder in enumerate(sys.path) if folder.endswith(packages)), len(sys.path))
    others = [str(folder) for folder in (*sorted(root.glob("[1-9]*_*")), root) if folder.is_dir()]
    sys.path[first:first] = [folder for folder in others if folder not in sys.path]
    importlib.import_module("lab.notebook").register()  # %check
    # `!python` in a cell must run this notebook's Python even if its environment is not activated.
    binaries = str(Path(sys.executable).parent)
    if os.environ.get("PATH", "").split(os.pathsep)[0] != binaries:
        os.environ["PATH"] = os.pathsep.join([binaries, os.environ.get("PATH", "")])


def fetch(repository: str, stage: str) -> Path:
    """Return the repository on Colab or Kaggle: an earlier copy, an attached data set, or a new clone."""
    if "google.colab" in sys.modules:
        home = DRIVE if DRIVE.is_dir() else COLAB  # files on the drive outlive the runtime
    elif "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        home = KAGGLE / "working"
    else:
        raise SystemExit(f"Folder {stage} not found: open this sheet from inside your repository.")
    for folder in sorted(home.glob(f"*/{stage}")):
        return folder.parent
    for folder in sorted((KAGGLE / "input").glob(f"**/{stage}")):
        return Path(shutil.copytree(folder.parent, home / folder.parent.name))
    if not repository:
        raise SystemExit("Set REPOSITORY at the top of this cell to your repository's address, and run the cell again.")
    target = home / re.sub(r"\.git$", "", repository.rstrip("/")).rsplit("/", 1)[-1]
    done = subprocess.run(["git", "clone", "--quiet", repository, target], env=credentials(), capture_output=True)
    if done.returncode != 0:
        raise SystemExit(f"{repository} cannot be cloned: {done.stderr.decode(errors='replace').strip()[-300:]}")
    if not (target / stage).is_dir():
        raise SystemExit(f"{repository} has no folder {stage}: is it your lab repository?")
    return target


def credentials() -> dict[str, str]:
    """Return the environment for git; a token is passed as a header, so that no file stores it."""
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    if token := secret("GITHUB_TOKEN"):
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        environment |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.https://github.com/.extraHeader"}
        environment["GIT_CONFIG_VALUE_0"] = f"Authorization: Basic {basic}"
    return environment


def secret(name: str) -> str | None:
    """Return a secret that you stored on Colab or Kaggle; None if it is missing or this notebook may not read it."""
    try:
        if "google.colab" in sys.modules:
            found: str = importlib.import_module("google.colab.userdata").get(name)
        else:
            found = importlib.import_module("kaggle_secrets").UserSecretsClient().get_secret(name)
    except Exception as error:  # both raise classes of their own, which cannot be imported elsewhere
        print(f"No secret {name} ({type(error).__name__}). A public repository does not need it.")
        return None
    return found


def install(requirements: Path) -> None:
    """Install the requirements that this machine lacks; installed packages, above all PyTorch, stay as they are."""
    names = re.findall(r"^([\w.-]+)", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    found = (distribution.metadata["Name"] for distribution in importlib.metadata.distributions())
    installed = {name.lower() for name in found if name}
    missing = [name for name in names if name.lower() not in installed and name != "jupyterlab"]
    if missing and subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *missing]).returncode != 0:
        print(f"{', '.join(missing)} could not be installed: turn on internet access in this notebook's settings.")


if __name__ == "__main__":
    set_up(REPOSITORY, STAGE)
