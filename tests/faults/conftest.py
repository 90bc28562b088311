"""A course of the tiny lab that has been graded once."""

from graded_course import _graded, course, graded_folder

__all__ = ["_graded", "course", "graded_folder"]
