"""What HTML says without HTML.

`tokens` reads it, `flow` gathers lines, `table` lines up columns, `marks` writes what quotations, items and links
look like, and `text` puts them together.
"""
