"""The icons, drawn with strokes of the text's colour. All are decoration: words beside them carry the meaning."""

from markupsafe import Markup


def _icon(paths: str) -> Markup:
    return Markup(
        '<svg class="icon" viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor"'
        ' stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">'
    ) + Markup(paths) + Markup("</svg>")  # fmt: skip  # noqa: S704  # called below with literals only


BRAND = Markup(
    '<svg class="brand-mark" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">'
    '<rect x="1" y="1" width="14" height="14" rx="4"/></svg>'
)
MENU = _icon('<path d="M2.5 4.5h11M2.5 8h11M2.5 11.5h11"/>')
CLOSE = _icon('<path d="M4 4l8 8M12 4l-8 8"/>')
STOP = Markup('<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">'
              '<rect x="4" y="4" width="8" height="8" rx="1.5" fill="currentColor"/></svg>')  # fmt: skip
SEND = _icon('<path d="M8 13V3.5M4 7.5l4-4 4 4"/>')
WARN = _icon('<path d="M8 2.2l6.2 11H1.8zM8 6.4v3.2M8 11.4v.1"/>')
BAD = _icon('<circle cx="8" cy="8" r="6"/><path d="M8 4.9v3.7M8 11v.1"/>')
NONE = _icon('<circle cx="8" cy="8" r="6"/><path d="M5.2 8h5.6"/>')
OPEN = _icon('<circle cx="8" cy="8" r="6"/><path d="M6.2 6.4a1.8 1.8 0 1 1 2.6 1.6c-.6.3-.8.6-.8 1.2M8 11.3v.1"/>')
GOOD = _icon('<circle cx="8" cy="8" r="6"/><path d="M5.4 8.2l1.9 1.9 3.4-3.9"/>')
DOWN = _icon('<circle cx="8" cy="8" r="6"/><path d="M8 4.9v5.8M5.6 8.5L8 10.9l2.4-2.4"/>')
WAIT = _icon('<circle cx="8" cy="8" r="6"/><path d="M8 4.8V8l2.2 1.4"/>')
LINK = _icon('<path d="M9.5 3h3.5v3.5M13 3L7.5 8.5M11.5 9.5V13H3V4.5h3.5"/>')
COPY = _icon('<rect x="5.5" y="5.5" width="8" height="8" rx="1.5"/><path d="M10.5 5.5v-3h-8v8h3"/>')
DOCUMENT = _icon('<path d="M4 1.8h5.2L12.5 5v9.2h-8.5zM9 2v3.2h3.3"/>')
SUN = _icon('<circle cx="8" cy="8" r="3"/><path d="M8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9'
            'M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9"/>')  # fmt: skip
MOON = _icon('<path d="M13.2 9.6A5.7 5.7 0 0 1 6.4 2.8a5.7 5.7 0 1 0 6.8 6.8z"/>')
SYSTEM = _icon('<circle cx="8" cy="8" r="5.5"/><path d="M8 2.5a5.5 5.5 0 0 1 0 11z" fill="currentColor"/>')
