"""The parts of `train.py`. If you like to read them, start with `loop.py`."""
