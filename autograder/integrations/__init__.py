"""Other programs that the grader works with, one module or package each."""
