"""What the tests of compatibility share: the recorded answers lie beside them, in ``golden``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))
