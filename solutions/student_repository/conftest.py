"""Make the modules of earlier stages importable in every stage."""

import sys
from pathlib import Path

# A stage's own folder comes first, then Python's library, then the other stages, and then installed packages: one of
# those may have the name of a stage.
PACKAGES = ("site-packages", "dist-packages")
FIRST = next((index for index, folder in enumerate(sys.path) if folder.endswith(PACKAGES)), len(sys.path))
sys.path[FIRST:FIRST] = [str(folder) for folder in sorted(Path(__file__).parent.glob("[1-9]*_*")) if folder.is_dir()]
