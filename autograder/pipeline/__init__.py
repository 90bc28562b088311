"""From a submission to its stored result: jobs, the modules they run on, and results that can be reused."""
