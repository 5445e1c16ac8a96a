"""The rules, by the reason for which they would change. Each is one function; the table is `GROUPS`."""

from __future__ import annotations

from mailwright.message.check.rules import (
    files,
    header,
    html,
    left_over,
    links,
    people,
    pictures,
    readers,
    size,
    structure,
    unsubscribe,
    wire,
)

GROUPS = tuple(
    module.group
    for module in (wire, header, people, structure, files, size, html, readers, pictures, links, unsubscribe, left_over)
)
#: Every rule by its id.
RULES = {rule.id: rule for group in GROUPS for rule in group.rules}
