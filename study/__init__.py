"""What every room agrees on: the study file, the versions of a clip, trials, tables, files.

This package imports none of the other rooms.
"""
