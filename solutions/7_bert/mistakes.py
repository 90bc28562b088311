"""Named mistakes of stage 7, in the order of the exercises."""

MISTAKES = {}
