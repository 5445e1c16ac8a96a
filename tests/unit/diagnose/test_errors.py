"""What every error of ours carries: its diagnosis, and a text that uses it where it knows more."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mailwright
from mailwright import Inbox, Mailer, Message, Server, explain
from mailwright.errors import (
    AddressError,
    ConfigError,
    ConnectionLost,
    ContentRefused,
    DeliveryError,
    LoginError,
    MailError,
    MissingExtra,
    RecipientsRefused,
    SenderRefused,
    Timeout,
)
from mailwright.words.reply import Reply

BAD_CREDENTIALS = Reply(535, ("5.7.8 Username and Password not accepted. For more information, go to", "5.7.8 gsmtp"))


def refused(reply: Reply, **more: object) -> LoginError:
    """A refused login at Gmail."""
    facts = {"phase": "auth", "server": "smtp.gmail.com:465", "reply": reply, **more}
    return LoginError("smtp.gmail.com:465 refused the login.", "Check user name and password.", **facts)  # type: ignore[arg-type]


def test_a_real_refusal() -> None:
    with Inbox(tls=False, refuse={"bob@example.org": "550 5.1.1 No such mailbox"}) as inbox:
        with Mailer(inbox.server) as mailer, pytest.raises(RecipientsRefused) as caught:
            mailer.send(Message("ada@example.org", "bob@example.org", "Hi", "there"))
    told = caught.value.diagnosis
    assert told is not None and told.kind == "rcpt-unknown" and "5.1.1 No such mailbox" in told.evidence


def test_a_server_that_is_not_there() -> None:
    with Inbox(tls=False) as inbox:
        port = inbox.server.port
    with Mailer(Server("127.0.0.1", port, "none")) as mailer, pytest.raises(DeliveryError) as caught:
        mailer.send(Message("ada@example.org", "bob@example.org", "Hi", "there"))
    told = caught.value.diagnosis
    assert told is not None and told.kind == "connect-refused"


def test_specific_advice_takes_the_place_of_ours() -> None:
    error = refused(BAD_CREDENTIALS)
    told = error.diagnosis
    assert told is not None and told.kind == "gmail-535-bad" and not told.fallback
    assert str(error) == f"{error.what} {told.advice}" and "app password" in str(error)
    assert error.advice == "Check user name and password."


@pytest.mark.parametrize(
    "error",
    [
        refused(Reply(535, ("5.7.8 qqq",))),  # only a code
        refused(BAD_CREDENTIALS, in_doubt=True),
        Timeout("smtp.gmail.com:465 did not answer.", "Try again later.", phase="connect", server="smtp.gmail.com:465"),
        DeliveryError("Something else.", "Look there."),
    ],
)
def test_our_advice_stays_where_we_know_as_much(error: DeliveryError) -> None:
    assert str(error) == f"{error.what} {error.advice}"


def test_who_has_the_message_is_told_first() -> None:
    with Inbox(tls=False, refuse={"bob@example.org": "550 5.1.1 No such mailbox"}) as inbox:
        with Mailer(inbox.server) as mailer, pytest.raises(RecipientsRefused) as caught:
            mailer.send(Message("ada@example.org", ["bob@example.org", "eve@example.org"], "Hi", "there"))
    error = caught.value
    assert error.receipt is not None and error.receipt.accepted and str(error) == f"{error.what} {error.advice}"
    assert error.diagnosis is not None and "only to those who were refused" in error.diagnosis.fix


@pytest.mark.parametrize(
    ("error", "retry"),
    [
        (ConnectionLost("The server closed the connection.", phase="final_reply", in_doubt=True), "no"),
        (Timeout("No answer.", phase="final_reply", in_doubt=True), "no"),
        (ConnectionLost("The server closed the connection.", phase="data"), "no"),
        (Timeout("No answer.", phase="connect", server="mail.example.org:587"), "once"),
        (SenderRefused("No.", phase="mail", reply=Reply(451, ("4.3.0 Try later",))), "yes"),
    ],
)
def test_no_repetition_of_what_may_have_arrived(error: DeliveryError, retry: str) -> None:
    told = error.diagnosis
    assert told is not None and told.retry == retry
    if error.in_doubt:
        assert told.kind == "lost-after-content" and "resend" not in str(told).lower()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConfigError("No server is set.", "Set SMTP_HOST."), "configuration"),
        (AddressError("There is no @.", "Write ada@example.org."), "message"),
        (MissingExtra("dns is missing.", "pip install 'mailwright[dns]'."), "missing-extra"),
    ],
)
def test_what_never_reached_a_server(error: MailError, kind: str) -> None:
    told = error.diagnosis
    assert told is not None and (told.kind, told.what, told.fix) == (kind, error.what, error.advice)


def test_it_is_kept_until_a_fact_changes() -> None:
    error = refused(BAD_CREDENTIALS)
    first = error.diagnosis
    assert error.diagnosis is first
    error.reply = Reply(535, ("5.7.8 Application-specific password required gsmtp",))
    assert error.diagnosis is not None and error.diagnosis.kind == "gmail-534-app-password"


@pytest.mark.parametrize("read", [False, True])
def test_it_survives_pickling(read: bool) -> None:
    error = refused(BAD_CREDENTIALS)
    if read:
        assert error.diagnosis
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is LoginError and again.diagnosis == error.diagnosis == explain(error)
    assert str(again) == str(error) and pickle.loads(pickle.dumps(error.diagnosis)) == error.diagnosis


def test_the_error_of_another_library_knows_ours() -> None:
    try:
        raise RuntimeError("the report was not sent") from refused(BAD_CREDENTIALS)
    except RuntimeError as error:
        assert explain(error).kind == "gmail-535-bad"


@pytest.mark.parametrize("missing", ["diagnose", "diagnose/data/failures.json"])
def test_without_the_floor_above(tmp_path: Path, missing: str) -> None:
    shutil.copytree(
        Path(mailwright.__file__).parent, tmp_path / "mailwright", ignore=shutil.ignore_patterns("__pycache__")
    )
    gone = tmp_path / "mailwright" / missing
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from mailwright.words.errors import ContentRefused\nfrom mailwright.words.reply import Reply\n"
        "error = ContentRefused('smtp.example.org refused.', 'Ask.', reply=Reply(554, ('5.7.1 spam',)))\n"
        "print(error.diagnosis, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "None smtp.example.org refused. Ask."


def test_nobody_pays_who_does_not_print() -> None:
    code = (
        "import sys\nfrom mailwright.words.errors import ContentRefused\nfrom mailwright.words.reply import Reply\n"
        "error = ContentRefused('x', 'y', reply=Reply(554, ('5.7.1 spam',)))\n"
        "print([name for name in sys.modules if 'diagnose' in name or name in ('json', 're')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_content_refused_for_spam() -> None:
    error = ContentRefused("refused.", "Ask.", phase="data", reply=Reply(554, ("5.7.1 Message rejected as spam",)))
    assert error.diagnosis is not None and error.diagnosis.kind == "spam-content" and "plain" in str(error)


def test_advice_for_one_refusal_is_not_given_for_another() -> None:
    refuse = {"bob@example.org": "550 5.1.1 No such mailbox", "eve@example.org": "552 5.2.2 Mailbox full"}
    with Inbox(tls=False, refuse=refuse) as inbox:
        with Mailer(inbox.server) as mailer, pytest.raises(RecipientsRefused) as caught:
            mailer.send(Message("ada@example.org", list(refuse), "Hi", "there"))
    assert str(caught.value) == f"{caught.value.what} {caught.value.advice}"
