"""The course as its authors wrote it: `grading.yml`, the stages' folders, their mistakes, alternatives and policy."""
