"""Student code, kept apart: what runs it, what talks to it, and what proves that it is apart.

This file imports nothing: the template loads ``template``, ``lockdown``, ``executor`` and ``wire``, and
must not drag the judge's side in with them.
"""
