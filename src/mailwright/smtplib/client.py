"""`SMTP`: whole messages."""

from __future__ import annotations

from mailwright.smtplib.commands import octets_of
from mailwright.smtplib.entrance import Entrance
from mailwright.words.errors import MessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from email.message import Message
    from typing import Any

    from _typeshed import ReadableBuffer

    from mailwright.smtplib.dialogue import Response

    Refusals = dict[str, Response]


class SMTP(Entrance):
    """A connection to a mail server, as the standard library's class of that name has it.

    `helo_resp` and `ehlo_resp` are the server's last answers to HELO and EHLO, `does_esmtp` says whether EHLO was
    understood, and `esmtp_features` has the extensions that were offered then, in lower case, with their parameters.
    `sock` is the connected socket, after `starttls` an `ssl.SSLSocket`; another one may be put in its place.
    """

    def sendmail(
        self,
        from_addr: str,
        to_addrs: str | Sequence[str],
        msg: ReadableBuffer | str,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> Refusals:
        """Send a whole message, and give those of the recipients who were refused, with the replies.

        `to_addrs` is one address or several; `msg` is ASCII text or octets, with the header fields. `mail_options` and
        `rcpt_options` are added to MAIL and to each RCPT.

        Raises `SMTPSenderRefused`, `SMTPRecipientsRefused` when everybody was refused, `SMTPDataError`,
        `SMTPHeloError`, `SMTPNotSupportedError` for what the server can't take, and `SMTPServerDisconnected`.
        """
        self.ehlo_or_helo_if_needed()
        octets, options = self._suited(octets_of(msg), mail_options)
        everybody = [to_addrs] if isinstance(to_addrs, str) else to_addrs
        willing = len(everybody)
        response = self.mail(from_addr, options)
        if response[0] != 250:
            raise self._left(self._refusal("SMTPSenderRefused", response, from_addr))
        refused: Refusals = {}
        for recipient in everybody:
            response = self.rcpt(recipient, rcpt_options)
            if response[0] not in (250, 251):
                refused[recipient] = response
                willing -= 1
            if response[0] == 421:
                self.close()
                raise self._nobody_left(refused)
        if not willing:
            self._rset()
            raise self._nobody_left(refused)
        response = self.data(octets)
        if response[0] != 250:
            self._refuse_content(response, refused)
        return refused

    def send_message(
        self,
        msg: Message,
        from_addr: str | None = None,
        to_addrs: str | Sequence[str] | None = None,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> Refusals:
        """Send a message of the ``email`` package; what it returns and raises is as with `sendmail`.

        Without `from_addr` the envelope's sender is that of Sender or From, without `to_addrs` its recipients are those
        of To, Cc and Bcc; of the Resent- fields, if there are any (`ValueError` if there are several blocks of them).
        Bcc is never sent along. Addresses that are not ASCII need SMTPUTF8.
        """
        from copy import copy
        from email.generator import BytesGenerator
        from email.utils import getaddresses
        from io import BytesIO

        self.ehlo_or_helo_if_needed()
        prefix = _block(msg)
        if from_addr is None:
            field = f"{prefix}Sender" if f"{prefix}Sender" in msg else f"{prefix}From"
            from_addr = getaddresses([msg[field]])[0][1]
        if to_addrs is None:
            fields = [msg[f"{prefix}{name}"] for name in ("To", "Bcc", "Cc")]
            to_addrs = [address for _, address in getaddresses([field for field in fields if field is not None])]
        sent = copy(msg)
        del sent["Bcc"], sent["Resent-Bcc"]
        policy = None
        if not "".join([from_addr, *to_addrs]).isascii():
            if not self.has_extn("smtputf8"):
                raise self._error("SMTPNotSupportedError", _NO_SMTPUTF8)
            policy = msg.policy.clone(utf8=True)  # type: ignore[call-arg]  # not every policy has it
            mail_options = (*mail_options, "SMTPUTF8", "BODY=8BITMIME")
        flat = BytesIO()
        BytesGenerator(flat, policy=policy).flatten(sent, linesep="\r\n")
        _check_head(flat.getvalue(), sent)
        return self.sendmail(from_addr, to_addrs, flat.getvalue(), mail_options, rcpt_options)

    def _suited(self, octets: bytes, options: Sequence[str]) -> tuple[bytes, list[str]]:
        """The octets in a form that this server takes, and what to say to it with MAIL."""
        eight_bit = not octets.isascii()
        if b"\0" in octets:  # servers that drop it find line ends and dots where there are none
            octets, eight_bit = self._in_seven_bits(octets, "A NUL can't be sent (RFC 5322 §3.5)"), False
        elif eight_bit and not self.has_extn("8bitmime"):
            why = "The server does not take 8-bit content (8BITMIME)"
            octets, eight_bit = self._in_seven_bits(octets, why), False
        if not self.does_esmtp:
            return octets, []
        words = [f"size={len(octets)}"] if self.has_extn("size") else []
        words += options
        if eight_bit and not any(option.lower().startswith("body=") for option in options):
            words.append("body=8bitmime")
        return octets, words

    def _in_seven_bits(self, octets: bytes, why: str) -> bytes:
        """The message encoded anew because of `why`. Raises `SMTPNotSupportedError`."""
        from mailwright.message.fields import body_start, read_fields
        from mailwright.message.foreign import signature
        from mailwright.message.reencode import seven_bit

        why += ", and the message can't be encoded anew: "
        try:
            signed = signature(read_fields(octets[: body_start(octets)]))
            if not signed:
                return seven_bit(octets)
        except MessageError as problem:
            raise self._error("SMTPNotSupportedError", why + problem.what, cause=problem) from problem
        raise self._error("SMTPNotSupportedError", f"{why}it is signed ({signed}).")

    def _left(self, refusal: Any) -> Any:
        """The refusal, after the transaction was ended; 421 says that the server ends more than that."""
        if refusal.smtp_code == 421:
            self.close()
        else:
            self._rset()
        return refusal

    def _refuse_content(self, response: Response, refused: Refusals) -> None:
        raise self._left(self._refusal("SMTPDataError", response))

    def _nobody_left(self, refused: Refusals) -> Exception:
        from mailwright.smtplib.errors import nobody_left

        error: Exception = nobody_left(self._session, refused)
        return error


_NO_SMTPUTF8 = (
    "One or more source or delivery addresses require internationalized email support, but the server does not "
    "advertise the required SMTPUTF8 capability"
)


def _check_head(octets: bytes, msg: Message) -> None:
    """Refuse a message whose header section is not that of `msg`: a line break in a value ends it before its time, and
    older versions of the ``email`` package write one. Raises `HeaderError`, which is a `ValueError`.
    """
    from mailwright.message.fields import body_start, read_fields
    from mailwright.words.errors import HeaderError

    if [field.name for field in read_fields(octets[: body_start(octets)])] != msg.keys():
        raise HeaderError("A header holds a line break, which would begin another one.", "Take it out.")


def _block(msg: Message) -> str:
    """Which header fields hold the envelope: those of the one resending, if there is one (RFC 5322 §3.6.6)."""
    resent = msg.get_all("Resent-Date")
    if resent is None:
        return ""
    if len(resent) == 1:
        return "Resent-"
    raise ValueError("message has more than one 'Resent-' header block")
