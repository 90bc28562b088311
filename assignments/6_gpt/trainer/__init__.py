"""The parts of `train.py`; read them if you like: `loop.py` first."""
