"""The judge: trusted pytest that holds inputs, oracles and points, and sends requests to the worker.

Hidden tests use ``autograder.judge.compare``, ``autograder.judge.strategies`` and
``autograder.judge.probes``, and the fixtures ``student`` and ``reference`` of the plugin.
"""
