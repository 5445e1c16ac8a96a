"""Header fields: what they say is read back exactly, and every line keeps its limits."""

from __future__ import annotations

import re
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.message.encoded_words import encoded_words
from mailwright.message.headers import mailboxes, unstructured, verify
from mailwright.message.message import Message
from mailwright.words.address import Address
from mailwright.words.errors import AddressError, HeaderError
from tests.unit.message.reading import back, header_lines, header_text, read, written

ODD = ' =?_.utf-8qQbB"\\,;:()<>@aZ09é日😀\u0301\u200d\u00a0\u3000\u202e'

#: Any text, and text made of what headers stumble over.
texts = st.one_of(header_text, st.text(ODD, max_size=200))


def check_lines(raw: bytes) -> None:
    """RFC 5322 §2.1.1, §2.2.3 and RFC 2047 §2, for every line of the header section."""
    for line in header_lines(raw):
        assert line.strip(b" "), "a line of white space only"
        if b"=?" in line:
            assert len(line) <= 76 or line.count(b" ") == 1
        # A line may be longer only if it could not be folded: one word behind the name of its field.
        assert len(line) <= 78 or line.strip(b" ").count(b" ") <= 1
        for word in re.findall(rb"=\?[^ ?]+\?[qb]\?[^ ?]*\?=", line):
            assert len(word) <= 75
            assert decode_header(word.decode())[0][0].decode("utf-8") is not None


class TestSubject:
    @given(texts)
    def test_any_text_is_read_back(self, text: str) -> None:
        raw = written(Message("ada@example.org", "bob@example.net", text))
        check_lines(raw)
        assert read(raw)["Subject"] == text

    @given(texts)
    def test_the_older_reader_reads_the_same(self, text: str) -> None:
        raw = unstructured("Subject", text)
        value = raw[len("Subject:") : -2].replace("\r\n", "").strip(" ")
        assert str(make_header(decode_header(value))) == text

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "   ",
            " leading",
            "trailing ",
            "two  spaces",
            "ö  ü",
            "=?utf-8?q?evil?=",
            "see =?utf-8?q?this one?= here",
            "a" * 77,
            "word " * 100,
            "x" + " " * 500 + "y",
            "é" + " " * 500 + "y",
            "x" * 2000,
            "ö" * 1000,
            "日本語" * 400,
            "👩‍👩‍👧‍👦" * 100,
            "e\u0301" * 300,
            "مرحبا بالعالم " * 40,
            "a" * 66 + " é",
        ],
        ids=range(20),
    )
    def test_awkward_texts_are_read_back(self, text: str) -> None:
        raw = written(Message("ada@example.org", "bob@example.net", text))
        check_lines(raw)
        assert read(raw)["Subject"] == text

    def test_plain_text_stays_as_it_is(self) -> None:
        assert unstructured("Subject", "Hello, World: 50% off?") == "Subject: Hello, World: 50% off?\r\n"

    def test_only_words_outside_ascii_are_encoded(self) -> None:
        assert unstructured("Subject", "Grüße aus Köln am Rhein") == (
            "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= aus =?utf-8?q?K=C3=B6ln?= am Rhein\r\n"
        )

    def test_a_url_in_a_subject_is_never_encoded(self) -> None:
        url = "https://example.org/" + "path/" * 60
        raw = unstructured("Subject", f"Grüße von {url} und mehr")
        assert f" {url}" in raw
        assert "?=\r\n von\r\n" not in raw

    def test_a_hundred_thousand_characters(self) -> None:
        text = "Größe " * 16_666
        raw = written(Message("ada@example.org", "bob@example.net", text))
        check_lines(raw)
        assert str(make_header(decode_header(_value(raw, "Subject")))) == text


class TestEncodedWords:
    @given(st.text(min_size=1, max_size=300), st.integers(0, 200))
    def test_whole_characters_in_words_of_75(self, text: str, room: int) -> None:
        if not _encodable(text):
            return
        words = encoded_words(text, room)
        decoded = []
        for word in words:
            assert len(word) <= 75
            ((octets, charset),) = decode_header(word)
            assert charset == "utf-8"
            decoded.append(octets.decode("utf-8"))
        assert "".join(decoded) == text

    @given(st.text(st.characters(min_codepoint=0x80, exclude_categories=["Cs"]), min_size=1, max_size=9))
    def test_the_first_word_keeps_to_its_room(self, text: str) -> None:
        assert len(encoded_words(text, 40)[0]) <= 40


class TestMailboxes:
    @given(texts)
    def test_any_name_is_read_back(self, name: str) -> None:
        raw = written(Message("ada@example.org", [(name, "bob@example.net")]))
        check_lines(raw)
        value = _value(raw, "To")
        phrase, _, spec = value.rpartition("<")
        assert spec == "bob@example.net>" or not name
        if value.startswith("=?"):
            assert str(make_header(decode_header(phrase.strip(" ")))) == name
        else:
            assert parseaddr(value)[0] == name

    @given(st.lists(st.tuples(st.sampled_from(["", "Ada", "A, B", 'say "hi"', "Zoë"]), st.integers(0, 9**9))))
    def test_lists_keep_their_order(self, people: list[tuple[str, int]]) -> None:
        to = [(name, f"user{number}@example.net") for name, number in people]
        raw = written(Message("ada@example.org", to, cc="x@example.net"))
        check_lines(raw)
        found = read(raw)["To"]
        assert [(one.display_name, one.addr_spec) for one in (found.addresses if found else ())] == to

    def test_names_as_phrase_quoted_string_or_encoded_words(self) -> None:
        people = [
            Address("a@example.org", "Ada Lovelace"),
            Address("b@example.org", "Lovelace, Ada"),
            Address("c@example.org", "Zoë"),
            Address("d@example.org", "=?utf-8?q?x?="),
        ]
        assert mailboxes("To", people) == (
            'To: Ada Lovelace <a@example.org>, "Lovelace, Ada" <b@example.org>,\r\n'
            " =?utf-8?q?Zo=C3=AB?= <c@example.org>, =?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?=\r\n"
            " <d@example.org>\r\n"
        )

    def test_an_address_outside_ascii_stays_raw_and_says_so(self) -> None:
        content = Message("ada@example.org", "Jörg <jörg@bücher.example>", "Hallo").render()
        assert content.utf8
        assert "<jörg@xn--bcher-kva.example>".encode() in bytes(content)
        local = read(bytes(content))["To"].addresses[0].username  # the reader keeps raw octets as surrogates
        assert local.encode(errors="surrogateescape").decode() == "jörg"

    def test_an_international_domain_needs_no_smtputf8(self) -> None:
        message = Message("ada@example.org", "info@bücher.example")
        assert not message.render().utf8
        assert back(message)["To"] == "info@xn--bcher-kva.example"

    def test_quoted_local_parts_and_address_literals(self) -> None:
        to = ['"a b"@example.org', r'"a\"b"@example.org', "a@[IPv6:::1]", "a@[192.0.2.1]"]
        raw = written(Message("ada@example.org", to))
        assert _value(raw, "To") == ", ".join(to)


class TestFieldsOfTheCaller:
    def test_they_stand_in_order_and_may_repeat(self) -> None:
        message = Message("ada@example.org", "bob@example.net", headers=[("X-A", "1"), ("X-B", "2"), ("X-A", "3")])
        assert back(message).get_all("X-A") == ["1", "3"]
        assert message.headers == (("X-A", "1"), ("X-B", "2"), ("X-A", "3"))

    @given(texts)
    def test_free_text_is_read_back(self, text: str) -> None:
        raw = written(Message("ada@example.org", "bob@example.net", headers={"X-Note": text}))
        check_lines(raw)
        assert read(raw)["X-Note"] == text

    def test_list_unsubscribe_is_folded_and_not_encoded(self) -> None:
        url = "https://example.org/unsubscribe?" + "token=x%3D%3F&" * 20
        value = f"<{url}>, <mailto:leave@example.org?subject=leave>"
        message = Message("ada@example.org", "bob@example.net", headers={"List-Unsubscribe": value})
        raw = written(message)
        assert _value(raw, "List-Unsubscribe") == value
        assert b"=?utf-8" not in raw

    @pytest.mark.parametrize("name", ["List-Unsubscribe", "Auto-Submitted", "DKIM-Signature", "ARC-Seal", "X-Priority"])
    def test_fields_for_machines_take_ascii_only(self, name: str) -> None:
        with pytest.raises(HeaderError, match=name):
            Message("ada@example.org", headers={name: "grün"})

    def test_a_word_that_fits_no_line_is_refused(self) -> None:
        with pytest.raises(HeaderError, match=r"List-Unsubscribe.*1200 characters"):
            Message("ada@example.org", headers={"List-Unsubscribe": "<" + "x" * 1197 + ">"})

    def test_names_in_address_fields_are_encoded_and_addresses_checked(self) -> None:
        message = Message("ada@example.org", "b@example.net", headers={"Sender": "Büro <office@example.org>"})
        assert back(message)["Sender"].address.display_name == "Büro"
        with pytest.raises(AddressError, match=r"Sender: .*no \"@\""):
            Message("ada@example.org", headers={"Sender": "office"})

    def test_the_phrase_of_a_list_id_is_encoded(self) -> None:
        message = Message("ada@example.org", "b@example.net", headers={"List-Id": "Bücher <books.example.org>"})
        assert _value(written(message), "List-Id") == "=?utf-8?q?B=C3=BCcher?= <books.example.org>"

    @pytest.mark.parametrize(
        ("name", "right"),
        [
            ("Subject", "subject="),
            ("to", "to="),
            ("BCC", "bcc="),
            ("Reply-To", "reply_to="),
            ("Message-ID", "message_id="),
            ("From", "sender="),
            ("In-Reply-To", "in_reply_to="),
        ],
    )
    def test_a_field_with_a_keyword_is_refused_by_its_name(self, name: str, right: str) -> None:
        with pytest.raises(HeaderError, match=right) as caught:
            Message("ada@example.org", headers={name: "x"})
        assert caught.value.field == name

    @pytest.mark.parametrize("name", ["Content-Type", "MIME-Version", "Return-Path", "Resent-Bcc"])
    def test_a_field_that_is_nobodys_is_refused(self, name: str) -> None:
        with pytest.raises(HeaderError, match=name):
            Message("ada@example.org", headers={name: "x"})

    def test_a_field_that_stands_once_is_refused_twice(self) -> None:
        with pytest.raises(HeaderError, match="twice"):
            Message("ada@example.org", headers=[("Sender", "a@example.org"), ("sender", "b@example.org")])

    def test_priority_and_its_own_field_do_not_stand_together(self) -> None:
        with pytest.raises(HeaderError, match="X-Priority"):
            Message("ada@example.org", priority="high", headers={"X-Priority": "5"})

    @pytest.mark.parametrize("name", ["", "X Y", "X:Y", "Bcc ", "Ünder", "X" * 77, "\u212a", "X\ud800"])
    def test_an_impossible_name_is_refused(self, name: str) -> None:
        with pytest.raises(HeaderError):
            Message("ada@example.org", headers={name: "x"})

    def test_a_value_that_is_not_text_is_refused(self) -> None:
        with pytest.raises(HeaderError, match="X-Count is int"):
            Message("ada@example.org", headers={"X-Count": 3})  # type: ignore[arg-type]


class TestLastGate:
    def test_the_intended_block_passes(self) -> None:
        verify("From: a@b.example\r\nSubject: x\r\n y\r\n", ["From", "Subject"])

    @pytest.mark.parametrize(
        "block",
        [
            "From: a\r\nBcc: evil@example.org\r\nSubject: x\r\n",
            "From: a\r\n",
            "Subject: x\r\nFrom: a\r\n",
            "From: a\r\nSubject: x\nBcc: evil@example.org\r\n",
            "From: a\r\nSubject: x\rBcc: evil@example.org\r\n",
            "From: a\r\nSubject: x\r\n\r\n",
            "From: a\r\nSubject: x\r\n \r\n",
            "From: a\r\nSubject: x",
            "From: a\r\nSubject\r\n",
            "From: a\r\nSubjects\r\n",
            "From: a\r\nSubject: " + "x" * 990 + "\r\n",
        ],
    )
    def test_any_other_block_is_refused(self, block: str) -> None:
        with pytest.raises(HeaderError, match="not the intended ones"):
            verify(block, ["From", "Subject"])


def _value(raw: bytes, name: str) -> str:
    """A field's value, unfolded and not decoded."""
    block = raw.partition(b"\r\n\r\n")[0].decode() + "\r\n"
    found = re.search(rf"^{name}:(.*?)\r\n(?! )", block, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1].replace("\r\n", "").removeprefix(" ")


def _encodable(text: str) -> bool:
    return not any(0xD800 <= ord(character) < 0xE000 for character in text)
