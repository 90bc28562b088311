"""The lab's companion: it shows where you are, checks what you wrote, and packs what you hand in."""
