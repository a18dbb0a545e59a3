"""The application on one machine. What the functions are made of is used here too, from where it lies."""

import sys
from pathlib import Path

if (_LAMBDAS := str(Path(__file__).resolve().parents[1] / "lambdas")) not in sys.path:
    sys.path.append(_LAMBDAS)
