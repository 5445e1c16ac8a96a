"""What becomes of HTML on its way into a message: its plain-text twin and, with the extras, its styles.

`tokens` reads HTML, `flow` gathers lines, `table` lines up columns and `text` puts them together.
"""
