"""Make the modules of earlier stages importable in every stage."""

import sys
from pathlib import Path

# At the end of the path: a stage's own folder comes first.
sys.path.extend(str(folder) for folder in sorted(Path(__file__).parent.glob("[1-9]*_*")) if folder.is_dir())
