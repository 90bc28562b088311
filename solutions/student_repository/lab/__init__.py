"""The lab's companion: shows your progress, checks your code and packs your hand-in."""
