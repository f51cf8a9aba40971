"""What `--system` names, and what is said when it names nothing."""

import sys

import pytest

from assay.errors import AssayError, BadSetting, NotFound
from assay.evals.systems.callables import CallableSystem
from assay.evals.systems.openai_endpoint import OpenAISystem
from assay.evals.systems.parse import OwnSettings, parse_system
from assay.evals.systems.template import HttpSystem

BOT = """
closed = []

def answer(question: str, k: int = 3):
    return f"{k} {question}"

class Chain:
    class inner:
        @staticmethod
        def invoke(question):
            return question

class Open:
    def __call__(self, question):
        return question
    def close(self):
        closed.append(1)

number = 7
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A user's folder with a module that no other test has imported."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_bot", raising=False)  # the documentation's examples have one too
    before = set(sys.modules)
    (tmp_path / "my_bot.py").write_text(BOT)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def parsed(named, folder, settings=None, environ=None):
    return parse_system(named, settings=settings, folder=folder, environ=environ or {})


def refused(named, folder, kind=BadSetting, **more):
    with pytest.raises(kind) as caught:
        parsed(named, folder, **more)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    return f"{caught.value} {caught.value.hint}"


async def test_a_function_of_the_current_folder(folder):
    system = parsed("my_bot:answer", folder, {"k": "5"})
    assert isinstance(system, CallableSystem)
    assert (await system("why?")).text == "5 why?"
    assert (system.name, system.spec["settings"]) == ("my_bot:answer(k=5)", {"k": 5})
    assert (await parsed("my_bot:Chain.inner.invoke", folder)("q")).text == "q"
    assert (await parsed("my_bot.py:answer", folder)("q")).text == "3 q"
    (folder / "deep").mkdir()
    (folder / "deep" / "other_bot.py").write_text("def ask(q): return 'deep ' + q")
    assert (await parsed("deep/other_bot.py:ask", folder)("q")).text == "deep q"
    assert (await parsed("json:dumps", folder)("q")).text == '"q"'


async def test_what_was_imported_is_closed(folder):
    system = parsed("my_bot:Open", folder)
    await system.aclose()
    await system.aclose()
    assert sys.modules["my_bot"].closed == [1]


def test_targets_that_lead_nowhere(folder):
    assert "no module 'my_bott'" in refused("my_bott:answer", folder, NotFound)
    assert "Did you mean my_bot?" in refused("my_bott:answer", folder, NotFound)
    assert "Did you mean answer?" in refused("my_bot:anwser", folder, NotFound)
    assert "my_bot has no 'x'" in refused("my_bot:answer.x", folder, NotFound).replace("answer has", "my_bot has")
    assert "is a int, which cannot be called" in refused("my_bot:number", folder)
    assert "no setting 'q'" in refused("my_bot:answer", folder, settings={"q": 1})
    assert "There is no file gone.py" in refused("gone.py:answer", folder, NotFound)
    for nothing in ("", "my_bot", ":answer", "my_bot:", "my bot:x", "..:x"):
        assert refused(nothing, folder, AssayError)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import not_there_at_all\n", "broken.py:1 in <module>: import not_there_at_all"),
        ("x = 1\nKEY = {}['MY_KEY']\n", "KeyError: 'MY_KEY' (broken.py:2 in <module>: KEY = {}['MY_KEY'])"),
        ("def ask(:\n", "broken.py:1"),
        ("raise SystemExit(3)\n", "SystemExit: 3 (broken.py:1"),
        ("def helper():\n    raise ValueError('no')\nhelper()\n", "ValueError: no (broken.py:2 in helper"),
    ],
)
def test_a_module_that_cannot_be_imported_names_its_own_line(folder, source, said):
    (folder / "broken.py").write_text(source)
    assert said in refused("broken:ask", folder)


def test_a_missing_library_is_named(folder):
    (folder / "needs.py").write_text("import not_there_at_all.part\n")
    assert "Install not_there_at_all" in refused("needs:ask", folder)


def test_urls_are_openai_servers(folder):
    system = parsed("http://127.0.0.1:9/v1#small", folder, {"max_tokens": "7"})
    assert isinstance(system, OpenAISystem)
    assert system.name == "127.0.0.1:9#small"
    assert "no setting 'modle'" in refused("http://127.0.0.1:9/v1", folder, settings={"modle": "x"})
    assert "Did you mean model?" in refused("http://127.0.0.1:9/v1", folder, settings={"modle": "x"})
    assert "no URL" in refused("http://", folder)


def written(folder, text):
    (folder / "bot.toml").write_text(text)
    return "bot.toml"


async def test_files_describe_all_three_kinds_and_settings_go_on_top(folder):
    (folder / "assay.toml").write_text("[index]\nk = 5\n")
    assert parsed("assay.toml", folder) == OwnSettings(folder / "assay.toml")
    (folder / "empty.toml").write_text("")
    assert parsed("empty.toml", folder) == OwnSettings(folder / "empty.toml")
    callable_file = '[system]\nkind = "callable"\ntarget = "my_bot:answer"\nversion = "2"\n[system.settings]\nk = 9\n'
    system = parsed(written(folder, callable_file), folder)
    assert (await system("q")).text == "9 q"
    assert system.subject
    assert (await parsed("bot.toml", folder, {"k": "1"})("q")).text == "1 q"
    system = parsed(
        written(folder, '[system]\nkind = "openai"\nurl = "http://h/v1"\nmodel = "m"\n'), folder, {"model": "n"}
    )
    assert system.name == "h#n"
    http_file = """
[system]
kind = "http"
name = "shop"
url = "https://shop.example/ask"
headers = { Authorization = "Bearer ${SHOP_KEY}" }
body = { query = "{question}" }

[system.reply]
text = "answer.text"
passages = { at = "sources", document = "meta.file", text = "body" }
"""
    system = parsed(written(folder, http_file), folder, environ={"SHOP_KEY": "s3cret"})
    assert isinstance(system, HttpSystem)
    assert (system.name, system.kind) == ("shop", "answerer")
    assert "SHOP_KEY, which is not set" in refused("bot.toml", folder)


HTTP = '[system]\nkind = "http"\nurl = "http://h/a"\nbody = { q = "{question}" }\n'


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("[system]\nname = 'x'\n", "does not say its kind", "callable, openai, http"),
        ("[system]\nkind = 'htpp'\n", "'htpp' is no kind of system", "callable, openai, http"),
        ("system = 3\n", "must be a table", "[system]"),
        ("[system]\nkind = 'http'\n[index]\nk = 3\n", "'index'", "two files"),
        ("[system\n", "not valid TOML", "line"),
        ("[system]\nkind = 'callable'\n", "needs target", "module:callable"),
        (
            "[system]\nkind = 'callable'\ntarget = 'my_bot:answer'\ntimeout = 3\n",
            "no setting 'timeout'",
            "timeout_seconds",
        ),
        ("[system]\nkind = 'openai'\nurl = 'http://h'\nmax_tokens = 'x'\n", "max_tokens = 'x'", "most tokens"),
        (HTTP + "[system.reply]\ntxt = 'a'\n", "no setting 'reply.txt'", "Did you mean text?"),
        (HTTP + "[system.reply]\ntext = 'a'\npassages = { at = 's', doc = 'd' }\n", "reply.passages.doc", "document"),
        (HTTP + "[system.reply]\ntext = 'a'\npassages = 3\n", "reply.passages", "Set reply.passages"),
        (
            HTTP + "[system.reply]\ntext = 'a'\npassages = { text = 't' }\n",
            "needs reply.passages.at",
            "path of the list",
        ),
        (HTTP + "timeout_seconds = 0\n[system.reply]\ntext = 'a'\n", "timeout_seconds = 0", "longest wait"),
    ],
)
def test_a_wrong_file_names_the_key_and_the_nearest_right_one(folder, text, said, hint):
    message = refused(written(folder, text), folder)
    assert said in message
    assert hint in message
    assert "bot.toml" in message


def test_files_that_cannot_be_read(folder):
    assert "There is no file" in refused("gone.toml", folder, NotFound)
    (folder / "dir.toml").mkdir()
    assert "cannot be read" in refused("dir.toml", folder)
    (folder / "latin.toml").write_bytes(b"[system]\nname = '\xe9'\n")
    assert "not valid TOML" in refused("latin.toml", folder)
