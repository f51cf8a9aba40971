"""Headings of Markdown and reStructuredText."""

from assay.documents.headings import front_matter_title, markdown_headings, underlined_headings


def found(text: str) -> list[tuple[int, str, str]]:
    return [(h.level, h.title, text[h.start :].split("\n", maxsplit=1)[0]) for h in markdown_headings(text)]


def test_hash_and_underlined_headings():
    text = "# One\ntext\n## Two ##\n\nThree\n=====\n\nFour\n----\n\n####### not\n#not\n### *Five* [link](http://x)\n"
    assert found(text) == [
        (1, "One", "# One"),
        (2, "Two", "## Two ##"),
        (1, "Three", "Three"),
        (2, "Four", "Four"),
        (3, "Five link", "### *Five* [link](http://x)"),
    ]


def test_code_and_front_matter_hold_no_headings():
    text = "---\ntitle: 'The title'\n---\n```sh\n# comment\n```\n~~~~\n# more\n```\n# still\n~~~~\n# Real\n"
    assert [title for _, title, _ in found(text)] == ["Real"]
    assert front_matter_title(text) == "The title"
    assert front_matter_title("title: no block\n") == ""


def test_rules_lists_and_tables_are_not_underlined_titles():
    assert found("- item\n---\n\n| a |\n---\n\n\n---\n> q\n===\n") == []


def test_restructured_text_levels_come_in_order_of_appearance():
    text = "Top\n###\n\nSub\n===\n\ntext\n\nOther\n=====\n\nNext top\n########\n\ntoo long a title\n===\n"
    assert [(h.level, h.title) for h in underlined_headings(text)] == [
        (1, "Top"),
        (2, "Sub"),
        (2, "Other"),
        (1, "Next top"),
    ]
