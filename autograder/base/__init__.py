"""Building blocks for the whole package: results of grading, safe display of text, atomic files, threads."""
