"""Reports made readable: for students on the terminal, as a page, as Markdown and JUnit; for instructors the class.

What a student may read passes through ``views``, which copies from a report only what is meant for
them. ``class_*`` modules are for instructors: they name everybody.
"""
