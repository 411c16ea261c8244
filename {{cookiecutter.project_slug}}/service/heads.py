"""The head of a request: the limits within which Gunicorn reads it, and what it refuses."""

from gunicorn.http import errors, message

# The status for a request that cannot be read, by its fault; it is 400 for any other fault.
REFUSED = {
    errors.ForbiddenProxyRequest: 403,
    errors.LimitRequestLine: 414,
    errors.ExpectationFailed: 417,
    errors.LimitRequestHeaders: 431,
    errors.UnsupportedTransferCoding: 501,
}

HEAD = 2**15  # bytes of all headers of a request; Gunicorn would take 25 times as many
LARGE, PIECE = 8192, 1024  # bytes that are received at once; of a body in chunks, fewer


class Request(message.Request):
    """A request, after which the connection closes unless its body was read to the end.

    Where the next one begins would be unknown, and a broken body would be answered a second time.
    """

    def __init__(self, *arguments: object) -> None:
        try:
            super().__init__(*arguments)
        except errors.ParseException as error:
            error.method = self.method
            raise
        codings = [value for name, value in self.headers if name == "TRANSFER-ENCODING"]
        # A chunk may be a byte long; as many as 8 KB hold would let others wait
        self.unreader.mxchunk = PIECE if codings else LARGE
        if codings and [coding.lower() for coding in codings] != ["chunked"]:
            raise errors.UnsupportedTransferCoding(", ".join(codings))

    def parse(self, unreader: object) -> bytes:
        """Read the headers; give what has come after them."""
        self.max_buffer_headers = HEAD
        return super().parse(unreader)

    def should_close(self) -> bool:
        """Whether this is the last request of its connection."""
        reader = self.body.reader
        is_unread = getattr(reader, "length", 0) or getattr(reader, "parser", None)
        wishes = dict(self.headers).get("CONNECTION", "").lower().replace(" ", "").split(",")
        return bool(is_unread) or "close" in wishes or super().should_close()
