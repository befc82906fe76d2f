"""The commands of `crodino`, one file for each group."""
