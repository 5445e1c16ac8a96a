"""Recognising what stands in examples for somebody's own address or password, and was never replaced.

A text counts only if all of it is made of words that such stand-ins are made of: so nothing that is shown in an
error can be a secret.
"""

from __future__ import annotations

#: What somebody is asked to replace; one of these must be in it.
_MARKS = frozenset("your replace insert enter placeholder".split())
_WORDS = _MARKS | frozenset(
    "a account actual address an and api app apple application auth authorization bridge change char character "
    "characters chars code company credential credentials digit digits domain dummy e email example fake first "
    "for from generated gmail goes google here host hotmail icloud id in is it key last letter letters live login "
    "mail me my name of or outlook own pass passwd password password1 put pwd real secret sender server smtp "
    "specific the this to token user username with yahoo 12 123 1234 16".split()
)
#: Passwords that nobody's provider gives out and every tutorial prints.
_OF_TUTORIALS = frozenset(
    "abcdefghijklmnop apppassword appspecificpassword emailpassword gmailapppassword gmailpassword mypassword pass "
    "password secret smtppassword mysecretpassword mypass passwd changeme".split()
)
_USERS_OF_TUTORIALS = frozenset("emailaddress exampleemail myemail myemailaddress senderemail".split())
_EXAMPLE_DOMAINS = ("example.com", "example.net", "example.org", "example", "invalid", "test")  # RFC 2606
_LONGEST = 80  # characters; stand-ins are short


def is_placeholder(text: str) -> bool:
    """Whether `text` says that something else was to be written there: ``YOUR_16_CHAR_APP_PASSWORD``, ``<password>``,
    ``${PASSWORD}``, ``xxxx xxxx xxxx xxxx``.
    """
    bare = text.strip()
    if not 3 <= len(bare) <= _LONGEST or not bare.isascii():
        return False
    for opening, closing in (("<", ">"), ("[", "]"), ("{{", "}}"), ("${", "}"), ("{", "}")):
        if bare.startswith(opening) and bare.endswith(closing):
            inside = bare[len(opening) : -len(closing)].strip()
            if opening in ("{{", "${"):  # a variable that nobody filled in
                return bool(inside) and all(c.isalnum() or c in "_.-" for c in inside)
            return _is_of_words(inside)
    packed = _packed(bare)
    if len(packed) >= 4 and len(set(packed)) == 1 and packed[0] in "x*•.":
        return True
    words = _words(bare)
    return words is not None and not _MARKS.isdisjoint(words) and words not in (["enter"], ["replace"], ["insert"])


def is_password_of_tutorials(password: str) -> bool:
    """Whether `password` is one that stands in tutorials, such as ``app-password``: at a provider nobody has it."""
    return is_placeholder(password) or _packed(password) in _OF_TUTORIALS


def is_address_of_tutorials(address: str) -> bool:
    """Whether `address` stands in tutorials for the reader's own: ``your_email@gmail.com``, ``you@example.com``."""
    local, at, domain = address.lower().rpartition("@")
    if not at:
        return is_placeholder(address)
    if any(domain == one or domain.endswith(f".{one}") for one in _EXAMPLE_DOMAINS):
        return True
    return is_placeholder(local) or is_placeholder(domain.partition(".")[0]) or _packed(local) in _USERS_OF_TUTORIALS


def _packed(text: str) -> str:
    return "".join(c for c in text.lower() if c not in " _-\u00a0\t")


def _is_of_words(text: str) -> bool:
    return bool(text) and _words(text) is not None


def _words(text: str) -> list[str] | None:
    """The words that all of `text` is made of, whatever stands between them; `None` if there is another."""
    found: list[str] = []
    for piece in "".join(c if c.isalnum() else " " for c in text.lower()).split():
        words = _split(piece)
        if words is None:
            return None
        found += words
    return found


def _split(piece: str) -> list[str] | None:
    """``yourapppassword`` as words; the longest first, and a dead end is left again."""
    reached: dict[int, list[str]] = {0: []}
    for end in range(1, len(piece) + 1):
        for start in range(max(0, end - 13), end):
            if start in reached and piece[start:end] in _WORDS:
                reached[end] = [*reached[start], piece[start:end]]
                break
    return reached.get(len(piece))
