"""Anyone's function as a system: what it may take and return, and what happens when it goes wrong."""

import asyncio
import textwrap
import threading
import time
from dataclasses import dataclass

import pytest
from pydantic import BaseModel, Field, SecretStr

from assay.answers.outcome import Declined
from assay.errors import BadInput, BadSetting, Garbled, TimedOut, Upstream
from assay.evals.output import Output, Retrieved
from assay.evals.system import System
from assay.evals.systems.callables import CallableSystem
from assay.evals.systems.spec import Common
from assay.gateway.replica import replica
from assay.gateway.tally import in_force, tallying


def system_of(target, settings=None, **options):
    return CallableSystem(target, settings=settings, options=Common(**options), name="my_bot:answer")


async def asked(target, question="why?", settings=None, **options):
    return await system_of(target, settings, **options)(question)


async def later(question):
    await asyncio.sleep(0)
    return question + "!"


class Bot:
    def __init__(self, greeting: str = "hi"):
        self.greeting, self.closed = greeting, 0

    def __call__(self, question):
        return f"{self.greeting}, {question}"

    def close(self):
        self.closed += 1


class AsyncBot:
    closed = False

    async def __call__(self, question):
        return question

    async def aclose(self):
        self.closed = True


async def test_sync_async_and_objects_answer():
    assert (await asked(lambda question: question.upper())).text == "WHY?"
    assert (await asked(later)).text == "why?!"
    assert (await asked(lambda question: later(question + "?"))).text == "why??!"
    assert (await asked(Bot, settings={"greeting": "yo"})).text == "yo, why?"
    assert (await asked(Bot())).text == "hi, why?"
    assert (await asked(AsyncBot())).text == "why?"
    assert isinstance(system_of(later), System)


async def test_a_sync_function_runs_beside_the_event_loop_and_sees_its_context():
    def slow(question):
        time.sleep(0.2)
        in_force().paid(0.5)
        return f"{replica.get()} {threading.current_thread() is threading.main_thread()}"

    replica.set(3)
    with tallying() as counts:
        started = time.perf_counter()
        outputs = await asyncio.gather(*(system_of(slow)("q") for _ in range(8)))
    assert time.perf_counter() - started < 1.2
    assert {output.text for output in outputs} == {"3 False"}
    assert (counts.paid_calls, counts.cost_usd) == (8, 4.0)
    assert outputs[0].latency_ms >= 190


async def test_what_comes_back_is_priced_only_where_somebody_knows():
    with tallying() as counts:
        assert (await asked(later)).cost_usd is None
        assert (await asked(later, cost_usd_per_question=0.25)).cost_usd == 0.25
        output = await asked(lambda q: {"text": q, "cost_usd": 0.5, "calls": 3})
    assert (output.cost_usd, output.calls) == (0.5, 3)
    assert (counts.paid_calls, counts.unpriced_calls, counts.cost_usd) == (5, 1, 0.75)
    assert system_of(later).expected_cost_usd is None
    assert system_of(later, cost_usd_per_question=0.25).expected_cost_usd == (0.25, 0.25)


async def test_outputs_outcomes_and_refusals_are_taken_as_they_are():
    assert (await asked(lambda q: Output(text="x", cost_usd=1.0, calls=2))).text == "x"
    refused = await asked(lambda q: Declined("The documents do not say.", ()))
    assert (refused.declined, refused.text) == (True, "The documents do not say.")


def two_passages(question: str):
    return [{"source": "a.md", "page_content": "one"}, "two"]


async def test_the_first_reply_shows_a_retriever_and_later_ones_must_be_alike():
    system = system_of(two_passages)
    assert system.kind == "answerer"
    output = await system("q")
    assert output.passages == (Retrieved("a.md", "one"), Retrieved("", "two"))
    assert (system.kind, output.text) == ("retriever", "")
    assert system_of(two_passages, returns="passages").kind == "retriever"
    with pytest.raises(Garbled, match="passages and no answer"):
        await asked(two_passages, returns="answers")


async def test_finding_nothing_does_not_make_a_retriever_an_answerer():
    replies = [[], ["text"], []]
    system = system_of(lambda q: replies.pop(0))
    await system("a")
    await system("b")
    assert system.kind == "retriever"
    await system("c")


async def test_an_empty_answer_is_an_answer():
    system = system_of(lambda q: {"text": "", "passages": ["one"]})
    assert (await system("q")).text == ""
    assert system.kind == "answerer"
    with pytest.raises(Garbled, match="passages and no answer"):
        await asked(lambda question: [], returns="answers")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (None, "returned nothing"),
        (7, "returned a int"),
        ({"foo": 1}, "no answer.*foo"),
        ({"text": 5}, "text is a int"),
        ({"text": "x", "confidence": 87}, "confidence is 87, not a number between 0 and 1"),
        ({"text": "x", "confidence": float("nan")}, "confidence is nan"),
        ({"text": "x", "declined": "false"}, "declined is 'false', not true or false"),
        ({"text": "x", "passages": "a.md"}, "passages is a str, not a list"),
        ({"text": "x", "passages": [{"text": "t"}, {"document": "d"}]}, r"passages\[1\].text is missing"),
        ({"text": "x", "passages": [{"text": "t", "start": 5}]}, r"passages\[0\] has the span 5 to None"),
        ({"text": "x", "citations": [7]}, r"citations\[0\] is a int"),
        ({"text": "x", "cost_usd": -1}, "cost_usd is -1, not a number of at least 0"),
        ((word for word in "ab"), "returned a generator"),
    ],
)
async def test_what_cannot_be_read_fails_with_its_place_and_a_hint(reply, said):
    with pytest.raises(Garbled, match=said) as failure, tallying() as counts:
        await asked(lambda question: reply)
    assert failure.value.hint
    assert "my_bot:answer" in str(failure.value)
    assert counts.paid_calls == 1


async def test_a_crash_is_told_with_the_users_own_line():
    def deep(question):
        return {}[question]

    async def answer(question):
        return deep(question)

    for target in (answer, deep):
        with pytest.raises(
            Upstream, match=r"KeyError: 'why\?'.*test_systems_callables.py:\d+ in deep: return"
        ) as failure:
            await asked(target)
        assert failure.value.slug == "crashed"
        assert isinstance(failure.value.__cause__, KeyError)


async def test_a_crash_inside_a_library_names_the_line_that_called_it():
    import json

    with pytest.raises(Upstream, match=r"JSONDecodeError.*test_systems_callables.py:\d+ in <lambda>"):
        await asked(lambda question: json.loads(question + question))


@pytest.mark.parametrize(
    "raised", [SystemExit(2), StopIteration("done"), RecursionError("deep"), TimeoutError("theirs")]
)
async def test_no_exception_of_theirs_ends_the_run(raised):
    def answer(question):
        raise raised

    async def answer_later(question):
        raise raised

    for target in (answer, answer_later):
        with pytest.raises(Upstream):
            await asked(target)


async def test_our_own_errors_pass_as_they_are():
    def answer(question):
        raise BadInput("Too long.", hint="Send less.")

    with pytest.raises(BadInput, match="Too long"):
        await asked(answer)


async def test_a_hung_function_times_out_and_its_thread_holds_nothing_up():
    stop = threading.Event()
    with pytest.raises(TimedOut, match=r"no answer in 0.05 s"), tallying() as counts:
        await asked(lambda question: stop.wait(20), timeout_seconds=0.05)
    with pytest.raises(TimedOut):
        await asked(lambda question: asyncio.sleep(20), timeout_seconds=0.05)
    hung = [thread for thread in threading.enumerate() if thread.name == "assay-system"]
    assert hung
    assert all(thread.daemon for thread in hung)
    stop.set()
    assert counts.paid_calls == 1  # nobody knows what it paid for before it hung


async def test_concurrency_holds_and_waiting_is_no_latency():
    inside, most = 0, 0

    async def answer(question):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.05)
        inside -= 1
        return question

    system = system_of(answer, concurrency=2)
    started = time.perf_counter()
    outputs = await asyncio.gather(*(system("q") for _ in range(10)))
    elapsed_ms = (time.perf_counter() - started) * 1000
    assert most == 2
    assert max(output.latency_ms for output in outputs) < 0.7 * elapsed_ms


def test_one_system_may_be_used_on_one_loop_after_another():
    system = system_of(later, concurrency=1)

    async def several():
        return await asyncio.gather(*(system("q") for _ in range(3)))

    for _ in range(2):
        assert len(asyncio.run(several())) == 3


# --- settings -----------------------------------------------------------------------------------------------------


class Tuning(BaseModel):
    k: int = Field(4, ge=1)
    key: SecretStr = SecretStr("sk-1")


@dataclass
class Plain:
    k: int = 4


def by_name(question: str, k: int = 4, *, model: "str" = "small", scale: float = 1.0):
    return f"{k!r} {model!r} {scale!r}"


def by_model(question, tuning: Tuning):
    return repr(tuning.k)


def by_dataclass(question, options: Plain):
    return repr(options.k)


def by_dict(question, settings):
    return repr(settings)


async def test_settings_reach_the_callable_in_its_own_types():
    assert (await asked(by_name, settings={"k": "7", "scale": 2})).text == "7 'small' 2.0"
    assert (await asked(by_model, settings={"k": "7"})).text == "7"
    assert (await asked(by_dataclass, settings={"k": 7})).text == "7"
    assert (await asked(by_dict, settings={"a": 1})).text == "{'a': 1}"
    assert (await asked(lambda question, **rest: repr(rest), settings={"a": 1})).text == "{'a': 1}"


def test_the_record_holds_every_setting_in_force_and_no_secret():
    assert system_of(by_name, {"k": "7"}).spec["settings"] == {"k": 7, "model": "small", "scale": 1.0}
    assert system_of(by_model, {}).spec["settings"] == {"k": 4, "key": "**********"}
    assert system_of(Bot).spec["settings"] == {"greeting": "hi"}


@pytest.mark.parametrize(
    ("target", "settings", "said", "hint"),
    [
        (by_name, {"kk": 1}, "no setting 'kk'", "Did you mean k?"),
        (by_name, {"modle": "x"}, "no setting 'modle'", "Did you mean model?"),
        (by_name, {"k": "many"}, "k = 'many': Input should be a valid integer", "Correct k"),
        (by_name, {"question": "x"}, "no setting 'question'", "k"),
        (by_model, {"K": 1}, "no setting 'K'", "Use one of: k, key"),
        (by_model, {"k": 0}, "k = 0: Input should be greater than or equal to 1", "Correct k"),
        (by_dataclass, {"k": "x"}, "k = 'x'", "Correct k"),
        (by_dataclass, {"n": 1}, "no setting 'n'", "k"),
        (lambda question, k: k, {}, "needs the setting k", "Set k"),
        (lambda: 1, {}, "takes no argument", "first argument"),
        (lambda *, question: 1, {}, "only keyword arguments", "first argument"),
        (Bot, {"greting": "x"}, "no setting 'greting'", "Did you mean greeting?"),
        (Plain, {}, "objects cannot be called", "__call__"),
        (len, {"k": 1}, "no setting 'k'", "Leave it out"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_any_question(target, settings, said, hint):
    with pytest.raises(BadSetting, match=said) as failure:
        system_of(target, settings)
    assert hint in failure.value.hint


def test_a_class_that_cannot_be_built_names_its_line():
    class Broken:
        def __init__(self):
            raise RuntimeError("no weights")

    with pytest.raises(BadSetting, match=r"no weights.*test_systems_callables.py:\d+ in __init__"):
        system_of(Broken)


# --- what it is called and when it is closed ---------------------------------------------------------------------


def test_only_a_version_names_behaviour():
    assert system_of(by_name).subject is None
    first = system_of(by_name, version="1").subject
    assert first == system_of(by_name, version="1").subject
    assert len({first, system_of(by_name, version="2").subject, system_of(by_name, {"k": 9}, version="1").subject}) == 3


def test_what_a_run_may_be_resumed_with_is_named_by_function_settings_and_source():
    plain = system_of(by_name)
    assert plain.identity == system_of(by_name).identity
    changed = system_of(by_name, {"k": 9})
    assert plain.identity != changed.identity
    elsewhere = CallableSystem(textwrap.fill, name="my_bot:answer")
    assert elsewhere.identity != CallableSystem(textwrap.indent, settings={"prefix": ""}, name="my_bot:answer").identity
    assert (plain.name, changed.name) == ("my_bot:answer", "my_bot:answer(k=9)")


def test_a_declared_kind_needs_no_reply():
    def text(question) -> str: ...
    def rows(question) -> list[str]: ...
    def either(question) -> dict: ...

    assert [(s.kind, s.undecided) for s in map(system_of, (text, rows, either))] == [
        ("answerer", False),
        ("retriever", False),
        ("answerer", True),
    ]


async def test_what_was_built_here_is_closed_once_and_what_was_passed_in_is_not():
    built = system_of(Bot)
    await built.aclose()
    await built.aclose()
    assert built._target.closed == 1
    passed = Bot()
    await system_of(passed).aclose()
    assert passed.closed == 0
    imported = AsyncBot()
    await CallableSystem(imported, close=True).aclose()
    assert imported.closed
