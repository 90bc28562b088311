"""From a submission to its stored result: what is judged, with which modules, and what can be kept."""
