"""The files that course authors write: `grading.yml`, and each stage's folders, texts, mistakes and alternatives."""
