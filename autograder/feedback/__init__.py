"""Reports for readers: a student's results on the terminal, as a page, as Markdown and as JUnit XML; a class's results.

Texts for students pass through ``views``, which copies from a report only what students may see. The
``class_*`` modules are for instructors: they name all students, and the hidden test of each check.
"""
