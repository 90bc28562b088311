"""What every other part builds on: the results of grading, text made safe to show, files written whole, threads."""
