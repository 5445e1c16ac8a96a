"""What was copied from an example and never replaced; and what only looks like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.providers.placeholders import is_address_of_tutorials, is_password_of_tutorials, is_placeholder


@pytest.mark.parametrize(
    "text",
    [
        "YOUR_16_CHAR_APP_PASSWORD", "your_password", "your-app-password", "yourpassword", "YourAppPassword", "your email",
        "your_email_password", "YOUR APP PASSWORD HERE", "<password>", "<your password>", "<app-password>", "[password]",
        "{password}", "${SMTP_PASSWORD}", "{{ smtp.password }}", "xxxx xxxx xxxx xxxx", "xxxxxxxxxxxxxxxx", "****",
        "XXXX-XXXX-XXXX-XXXX", "enter_password_here", "replace_with_real_password", "insert your key here",
        "your16digitapppassword", " your_password\n",
    ],
)  # fmt: skip
def test_placeholders(text: str) -> None:
    assert is_placeholder(text) and is_password_of_tutorials(text)


@pytest.mark.parametrize(
    "text",
    [
        "abcd efgh ijkl mnop",
        "app_password",
        "app-password",
        "AppPassword",
        "password",
        "changeme",
        "my_password",
        "secret",
    ],
)
def test_passwords_of_tutorials(text: str) -> None:
    assert is_password_of_tutorials(text) and not is_placeholder(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "hunter2", "correct horse battery staple", "youreallymeanit", "yourself", "Your1stDog!", "abcdefghijklmnoq",
        "qwmx zkpt aabb ccdd", "<hunter2>", "{s3cret!}", "$ECRET", "x9xx", "enter", "insert", "replace", "p@ssword",
        "Yourmother1957", "пароль", "y" * 200, "[x]", "<>", "{{}}", "${}", "{{a b}}", "yourß", "mailwright",
    ],
)  # fmt: skip
def test_what_may_be_a_real_password(text: str) -> None:
    assert not is_placeholder(text)


@pytest.mark.parametrize(
    "address",
    [
        "your_email@gmail.com", "YOUR.EMAIL@gmail.com", "youremail@yahoo.com", "yourname@gmail.com", "you@example.com",
        "ada@mail.example.org", "ada@firm.example", "user@test", "my_email@gmail.com", "sender_email@gmail.com",
        "your_email", "<your email>", "ada@yourdomain.com", "ada@your-company.com", "your_gmail_address@gmail.com",
    ],
)  # fmt: skip
def test_addresses_of_tutorials(address: str) -> None:
    assert is_address_of_tutorials(address)


@pytest.mark.parametrize(
    "address",
    [
        "ada@gmail.com", "ada.lovelace@gmail.com", "me@gmail.com", "info@firm.org", "mail@firm.org", "user@firm.org",
        "yoursincerely@gmail.com", "email@firm.org", "ada@examples.com", "ada@example.co", "ada@testing.org", "AKIA123",
        "resend", "apikey", "ada@my-domain.net", "example@gmail.com", "",
    ],
)  # fmt: skip
def test_what_may_be_a_real_address(address: str) -> None:
    assert not is_address_of_tutorials(address)


@given(st.text(max_size=120))
def test_any_text_is_judged(text: str) -> None:
    assert is_placeholder(text) in (True, False) and is_address_of_tutorials(text) in (True, False)


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=16, max_size=16))
def test_a_generated_password_is_none(password: str) -> None:
    assert not is_placeholder(password) or len(set(password)) == 1


def test_a_long_text_takes_no_time() -> None:
    assert not is_placeholder("your" * 5_000_000) and not is_address_of_tutorials("a" * 5_000_000)
