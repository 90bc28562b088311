"""Why a trained model earns nothing."""


class TrainedModelError(Exception):
    """A trained model cannot be measured; the message tells the student what is wrong and the way out."""
