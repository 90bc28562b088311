<<<<<<< HEAD
MISTAKES = ()
=======
from autograder.mistakes import Mistake

MISTAKES: tuple[Mistake, ...] = ()
>>>>>>> trainer
