"""Letters of all kinds for the pictures: made up, with a picture that is drawn here."""

from __future__ import annotations

import struct
import zlib

from mailwright import Attachment, Message


def drawing(width: int = 480, height: int = 150) -> bytes:
    """A PNG: hills before an evening sky."""
    rows = []
    for y in range(height):
        sky = y / height
        row = bytearray([0])
        for x in range(width):
            hill = height * (0.62 + 0.14 * _wave(x / 90) + 0.05 * _wave(x / 31 + 2))
            near = height * (0.8 + 0.09 * _wave(x / 130 + 4))
            if y > near:
                row += bytes((38, 70, 112))
            elif y > hill:
                row += bytes((84, 112, 158))
            else:
                row += bytes((int(255 - 40 * sky), int(176 + 50 * sky), int(138 + 70 * sky)))
        rows.append(bytes(row))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (_chunk(b"IHDR", head), _chunk(b"IDAT", zlib.compress(b"".join(rows), 9)), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _wave(x: float) -> float:
    """A smooth line between -1 and 1, of period 4."""
    x = x % 4
    return 1 - (x - 1) ** 2 if x < 2 else (x - 3) ** 2 - 1


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


ORDER = """<!doctype html>
<html lang="en"><head><title>Your order</title><style>
@media (prefers-color-scheme: dark) { body, .out { background: #15181f !important } .card { background: #20242d !important; color: #e8eaf0 !important } h1 { color: #a9c0ff !important } }
@media (max-width: 480px) { .facts td { display: block } .card td { padding: 20px !important } }
</style></head>
<body style="margin:0;background:#eef1f7"><table class="out" width="100%" cellpadding="0" cellspacing="0" role="presentation" style="background:#eef1f7"><tr><td align="center" style="padding:28px 12px">
<table class="card" role="presentation" width="100%" cellpadding="0" cellspacing="0" style="max-width:560px;background:#ffffff;border-radius:14px;font-family:Helvetica,Arial,sans-serif;color:#232733">
<tr><td style="padding:0 !important"><img src="cid:hills" width="560" alt="Hills in the evening" style="display:block;width:100%;border-radius:14px 14px 0 0"></td></tr>
<tr><td style="padding:30px 34px"><h1 style="margin:0 0 12px;font-size:24px;color:#23408f">Your order is on its way</h1>
<p style="margin:0 0 18px;line-height:1.6">Hello Grace, the parcel left our warehouse this morning. It should be with you on Monday.</p>
<table class="facts" role="presentation" cellpadding="0" cellspacing="0" style="margin:0 0 22px"><tr><td style="padding:0 34px 8px 0"><b>Order</b><br>4711</td><td style="padding:0 34px 8px 0"><b>Total</b><br>€ 48.20</td><td style="padding:0 0 8px 0"><b>Carrier</b><br>Pigeon Post</td></tr></table>
<a href="https://shop.example/track/4711" style="display:inline-block;background:#23408f;color:#ffffff;padding:12px 24px;border-radius:9px;text-decoration:none">Track the parcel</a>
<img src="https://pixel.example/open.gif" width="1" height="1" alt=""></td></tr></table></td></tr></table></body></html>"""


def order() -> Message:
    """A letter with everything: text, HTML, a picture in it, a remote one, a file, Cc and Bcc."""
    return Message(
        ("Shop Example", "orders@shop.example"), [("Grace Hopper", "grace@example.org")], "Your order is on its way",
        "Hello Grace, the parcel left our warehouse this morning.\n\nhttps://shop.example/track/4711", ORDER,
        inline={"hills": drawing()}, cc=["billing@shop.example"], bcc=["archive@shop.example"],
        attachments=[Attachment(b"%PDF-1.4\n", "Invoice 4711.pdf"), Attachment(drawing(240, 120), "map.png")],
    )  # fmt: skip


def letters() -> list[Message]:
    """A morning's worth of mail, the oldest first."""
    return [
        Message(("Build server", "ci@example.org"), ["team@example.org"], "Build 2214 failed on main", "3 tests failed:\n  test_login\n  test_mail\n  test_queue\n"),
        Message("no-reply@accounts.example", ["new.user@example.com"], "Confirm your address", "Please confirm: https://accounts.example/c/8f3a\n\nThe link is good for one hour."),
        Message(("Łucja Nowak", "lucja@example.org"), [("Grace Hopper", "grace@example.org")], "Protokoll der Sitzung – Größe & Maße", "Grüße!\nAnbei das Protokoll.", attachments=[Attachment(b"%PDF-1.4\n", "Protokoll.pdf"), Attachment(b"a;b\n1;2\n", "Zahlen.csv")]),
        Message(("Example Letters", "news@letters.example"), [f"reader{n}@example.org" for n in range(5)], "Five things this week", "Hello! Here is what happened while you were building things."),
        Message(("Payments", "billing@pay.example"), ["finance@example.org"], "Receipt for November: € 129.00", "Thank you. Your card was charged on 20 November.", attachments=[Attachment(b"%PDF-1.4\n", "Receipt.pdf")]),
        Message(("Ada Lovelace", "ada@example.org"), [("Grace Hopper", "grace@example.org")], "Re: Lunch on Thursday?", "Thursday at one, in the garden if the weather holds."),
        Message(("Monitoring", "alerts@example.net"), ["oncall@example.org"], "Resolved: queue depth back to normal", "The queue was above 10,000 for 4 minutes. It is at 120 now."),
        order(),
    ]  # fmt: skip
