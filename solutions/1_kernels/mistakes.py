"""Named mistakes of stage 1."""

from autograder.mistakes import Mistake

MISTAKES = (
    Mistake(
        id="gaussian_has_no_constant",
        exercise="gaussian",
        says="the Gaussian kernel is not divided by √(2π)",
        replace=((" / math.sqrt(2 * math.pi)", ""),),
        fails=frozenset({"test_gaussian_is_the_normal_density"}),
    ),
)
