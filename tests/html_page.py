"""HTML taken apart, for tests of what is written as HTML."""

from html.parser import HTMLParser


class HtmlPage(HTMLParser):
    """The tags, attributes and text of a page; `wrong` are end tags that close nothing open."""

    VOID = frozenset(("meta", "br", "input", "img", "line", "circle", "wbr", "link"))

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.pieces, self._open, self.wrong = [], [], [], [], []
        self.feed(text)
        self.close()
        self.left_open = self._open

    @property
    def text(self):
        """All text, white space as one blank."""
        return " ".join("".join(self.pieces).split())

    def values(self, tag, name):
        """The values of an attribute, in order."""
        return [value for one, key, value in self.attributes if (one, key) == (tag, name)]

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        if not self._open or self._open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.pieces.append(data)
