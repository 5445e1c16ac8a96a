"""mailwright beside the other ways to send mail: see bench/README.md.

`python -m bench` measures; the scripts here that stand alone (`python bench/startup.py`) each measure one thing.
"""
