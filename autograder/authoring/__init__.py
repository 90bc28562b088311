"""Tools for authors: the proof of the lab, a quick trial of one stage, new stages and a sample class."""
