"""What is quoted of a text is safe to show: credentials masked, control characters made visible."""

from __future__ import annotations

import pytest

from mailwright import explain
from mailwright.diagnose.masking import masked
from mailwright.words.reply import Reply

SECRETS = [
    ("C: AUTH PLAIN AGFkYQBjb3JyZWN0LWhvcnNl\nS: 535 5.7.8 Error: authentication failed", "AGFkYQBjb3JyZWN0LWhvcnNl"),
    ("535 5.7.8 failed AUTH PLAIN AGFkYQBjb3JyZWN0LWhvcnNl", "AGFkYQBjb3JyZWN0LWhvcnNl"),
    ("send: 'AUTH LOGIN YWRhQGV4YW1wbGUub3Jn\\r\\n' 535 no", "YWRhQGV4YW1wbGUub3Jn"),
    ("535 refused by smtp://ada:hunter2@smtp.example.org:587/", "hunter2"),
    ("535 refused by smtps://ada%40example.org:hunter2@smtp.example.org", "hunter2"),
    ("535 login failed (password=hunter2)", "hunter2"),
    ("535 login failed password: 'hunter 2'", "hunter 2"),
    ('535 login failed {"pass": "hunter2", "user": "ada"}', "hunter2"),
    ("535 login failed 'smtp_password' => 'hunter2'", "hunter2"),
    ("535 login failed SMTP_PASSWORD=hunter2", "hunter2"),
    ("535 Kennwort: hunter2 ist falsch", "hunter2"),
    ("535 密码=hunter2", "hunter2"),
    ("535 5.7.8 ya29.a0AfH6SMBxyzxyzxyz-xyz_1 is not accepted", "a0AfH6SMBxyzxyzxyz-xyz_1"),
    ("535 Authorization: Bearer abcdefgh.ijklmnop", "abcdefgh"),
    ("535 eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "dozjgNryP4J3jVmNHl0w5N"),
    ("535 SG.abcdefghijklmnop.qrstuvwxyz0123456789 is wrong", "qrstuvwxyz0123456789"),
    ("535 xsmtpsib-0123456789abcdef is wrong", "0123456789abcdef"),
    ("535 dXNlcj1hZGFAZXhhbXBsZS5vcmcBYXV0aD1CZWFyZXIgeWEyOS54AQE= refused", "dXNlcj1hZGFA"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_credential_is_not_shown(text: str, secret: str) -> None:
    for given in (text, text.encode(), RuntimeError(text), Reply(535, tuple(text.split("\n")))):
        told = explain(given)
        assert secret not in str(told) and secret not in repr(told.as_dict())


@pytest.mark.parametrize(
    "dialogue",
    [
        "334 VXNlcm5hbWU6\nYWRhQGV4YW1wbGUub3Jn\n334 UGFzc3dvcmQ6\nY29ycmVjdCBob3JzZQ==\n535 5.7.8 No",
        (
            "send: 'YWRhQGV4YW1wbGUub3Jn\\r\\n'\nreply: b'334 UGFzc3dvcmQ6\\r\\n'\nsend: 'Y29ycmVjdCBob3JzZQ==\\r\\n'\n"
            "reply: b'535 5.7.8 No\\r\\n'"
        ),
        (
            "CLIENT -> SERVER: AUTH LOGIN\nSERVER -> CLIENT: 334 VXNlcm5hbWU6\nCLIENT -> SERVER: YWRhQGV4YW1wbGUub3Jn\n"
            "SERVER -> CLIENT: 334 UGFzc3dvcmQ6\nCLIENT -> SERVER: Y29ycmVjdCBob3JzZQ==\nSERVER -> CLIENT: 535 5.7.8 No"
        ),
    ],
)
def test_a_login_dialogue(dialogue: str) -> None:
    told = str(explain(dialogue))
    assert "Y29ycmVjdCBob3JzZQ" not in told and "YWRhQGV4YW1wbGUub3Jn" not in told
    assert explain(dialogue).kind == "auth-535-generic"


@pytest.mark.parametrize(
    "text",
    [
        "535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6",
        "550 5.1.1 The mailbox internationalization does not exist",
        "550 password expired, see the page on passwords",
        "451 4.3.0 queued as 4ABCDEF123456 and later lost",
    ],
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert explain(text).evidence == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("550 \x1b[31mred\x1b[0m User unknown", "550 red User unknown"),
        ("550 bell\x07 User unknown", "bell"),
        ("550 User unknown\x1b]0;title\x07", "550 User unknown"),
        ("550 turned \u202earound\u202c User unknown", "550 turned"),
        ("550 one\r\n550 two User unknown", "550 one 550 two User unknown"),
    ],
)
def test_nothing_steers_a_terminal(text: str, shown: str) -> None:
    told = str(explain(text)).replace("\n", "")
    assert told.isprintable() and shown in told


def test_the_evidence_is_one_bounded_line_from_the_code_on() -> None:
    told = explain("x " * 500 + "550 5.1.1 User unknown " + "y " * 5000)
    assert len(told.evidence) <= 320 and "550 5.1.1 User unknown" in told.evidence and "\n" not in told.evidence


@pytest.mark.parametrize(
    "text",
    [
        "server.login('u','PWsecret1')",
        'server.login("u", password="PWsecret1")',
        "curl -u u:PWsecret1 -v",
        '{\\"password\\": \\"PWsecret1\\"}',
        "pass PWsecret1",
        "apikey PWsecret1",
        "my password is PWsecret1",
        "smtps://u:PWsecret1/ss@h:465",
        "smtps://u:p@PWsecret1@h/",
        "password: PWse cret PWse cret".replace("PWse", "pwse"),
    ],
)
def test_what_people_paste_is_masked(text: str) -> None:
    shown = masked(text)
    assert "***" in shown and "secret1" not in shown and "pwse" not in shown


def test_login_data_behind_a_time_stamp_is_masked() -> None:
    assert masked("2024-01-01 12:00:00 C: QWRhU2VjcmV0MQ==").endswith("C: ***")


@pytest.mark.parametrize("text", ["wrong password for user", "535 5.7.8 pass through", "Password is incorrect"])
def test_words_about_passwords_stay(text: str) -> None:
    assert masked(text) == text
