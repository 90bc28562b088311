"""What authors use: the proof of a lab, a quick trial of one stage, a new stage, and a sample class."""
