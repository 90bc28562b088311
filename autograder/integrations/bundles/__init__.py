"""Bundles for platforms that run graders: Gradescope, with hidden tests, and Classroom 50, without.

The modules ``on_…`` and ``public_tests`` are not imported: they are copied into a bundle and run there.
"""
