"""Isolation of student code: the processes that run it, the protocol they speak, and the self-check.

This file imports nothing: the template loads ``template``, ``lockdown``, ``executor`` and ``wire``, and
must not import the judge's side with them.
"""
