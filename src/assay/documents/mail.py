"""E-mail: subject, sender, receivers, date and body; attachments are named, not read.

Proved by `tests/unit/documents/test_formats.py`.
"""

from email import message_from_bytes, policy
from email.message import EmailMessage

from assay.documents.archive import damaged
from assay.documents.extract import Extract, Writing
from assay.documents.webpage import write_page

_TYPE = "message/rfc822"
_SHOWN = ("From", "To", "Cc", "Date")


def read_mail(content: bytes, *, name: str) -> Extract:
    """The text of one e-mail. Raises Unreadable: `damaged`."""
    try:
        message = message_from_bytes(content, policy=policy.default)
        if not message.keys():
            raise damaged(name)
        writing = Writing()
        subject = str(message.get("Subject", ""))
        writing.heading(1, subject)
        shown = [f"{field}: {' '.join(str(message[field]).split())}" for field in _SHOWN if message[field]]
        writing.block("\n".join(shown))
        body = message.get_body(("plain", "html"))
        if isinstance(body, EmailMessage):
            text = str(body.get_content())
            if body.get_content_subtype() == "html":
                write_page(writing, text)
            else:
                writing.block(text)
        attachments = [str(part.get_filename()) for part in message.iter_attachments() if part.get_filename()]
    except (ValueError, LookupError, TypeError, AttributeError) as error:  # the email package on malformed headers
        raise damaged(name) from error
    kept = {"subject": subject, "from": str(message.get("From", "")), "attachments": ", ".join(attachments)}
    return writing.extract(_TYPE, title=subject, metadata={key: value for key, value in kept.items() if value})
