from autograder.mistakes import Mistake

MISTAKES: tuple[Mistake, ...] = ()
