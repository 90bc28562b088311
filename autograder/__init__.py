"""The grader of the Transformer lab: submissions in, points and feedback out.

This file stays empty of imports: the worker's template loads parts of the package, and must
not drag the rest (tests, solutions, gradebook) in with them.
"""
