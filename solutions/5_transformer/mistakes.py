"""Named mistakes of stage 5, as students make them."""

MISTAKES = ()
