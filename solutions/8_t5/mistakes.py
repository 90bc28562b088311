from autograder.course.mistakes import mistake

MISTAKES = {}
