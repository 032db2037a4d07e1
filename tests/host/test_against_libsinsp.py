"""The embedded host and libsinsp must agree: on what they refuse, on what matches, on what is printed."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tfdrift_plugin.host.abi import Framework, Library
from tfdrift_plugin.host.condition import ConditionError, parse, unparse
from tfdrift_plugin.host.evaluate import compile_condition
from tfdrift_plugin.host.fields import FieldError
from tfdrift_plugin.host.output import compile_format

from tests.host import standin
from tests.host.samples import EVENTS
from tests.real.sysdig import Sysdig, put


class Both:
    """The same events, seen by the host and by sysdig."""

    def __init__(self, sysdig: Sysdig, folder: Path) -> None:
        self.file = standin.write(folder / "events", EVENTS)
        self.sysdig = sysdig
        self.inside = put(sysdig.root, self.file, "/opt/standin/events")
        self.library = Library(standin.library(), Framework.FALCO_0_43)

    def host(self, condition: str) -> list[int] | str:
        try:
            matches = compile_condition(parse(condition), self.library.catalogue)
        except ConditionError as error:
            return str(error)
        with self.library.init("", lambda *_: None) as plugin, plugin.open(str(self.file)) as instance:
            return [event.number for event in instance.events() if matches(event)]

    def sinsp(self, condition: str) -> list[int] | str:
        result = self.sysdig.live(self.inside, "*%evt.num", condition)
        return result.error if result.code else [int(line) for line in result.lines]

    def check(self, condition: str) -> None:
        host, sinsp = self.host(condition), self.sinsp(condition)
        if isinstance(host, str) and isinstance(sinsp, str):
            return
        assert host == sinsp, condition

    def host_text(self, output: str) -> list[bytes] | str:
        try:
            compiled = compile_format(output.removeprefix("*"), self.library.catalogue)
        except FieldError as error:
            return str(error)
        with self.library.init("", lambda *_: None) as plugin, plugin.open(str(self.file)) as instance:
            return [compiled.text(event) for event in instance.events()]

    def sinsp_text(self, output: str) -> list[bytes] | str:
        result = self.sysdig.live(self.inside, output)
        return result.error if result.code else list(result.lines)


@pytest.fixture(scope="module")
def both(standin_sysdig: Sysdig, tmp_path_factory: pytest.TempPathFactory) -> Both:
    return Both(standin_sysdig, tmp_path_factory.mktemp("events"))


# --- written by hand: every operator, and what is odd about it --------------------------------------------------------

CONDITIONS = Path(__file__).with_name("conditions.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("condition", CONDITIONS)
def test_condition(both: Both, condition: str) -> None:
    both.check(condition)


# --- generated --------------------------------------------------------------------------------------------------------

WORDS = sorted(
    {
        text
        for event in EVENTS
        for given in event.values()
        for text in (given if isinstance(given, list) else [given])
        if isinstance(text, str) and len(text) < 50
    }
)
STRING_FIELDS = ("t.s", "t.o", "t.arg[a.b]", "t.arg", "evt.source", "evt.plugininfo")
NUMBER_FIELDS = ("t.n", "t.k", "t.t", "t.r", "evt.num", "len(t.s)", "len(t.l)", "len(toupper(t.o))")
LIST_FIELDS = ("t.l", "t.m", "tolower(t.l)")


def quoted(text: str) -> str:
    for char, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        text = text.replace(char, escape)
    return f'"{text}"'


words = st.one_of(
    st.sampled_from(WORDS),
    st.builds(lambda word, a, b: word[a:b], st.sampled_from(WORDS), st.integers(0, 4), st.integers(1, 9)),
    st.builds(str.swapcase, st.sampled_from(WORDS)),
    st.sampled_from(["*", "a*", "?lpha", "/usr/*", "[a-z]*", ".*", "[[:alpha:]]*", "(alpha|beta)", "x+", "1", "true"]),
)
values = words.map(quoted)
integers = st.one_of(st.integers(0, 12), st.sampled_from([42, 100, 2**63, 2**64 - 1])).map(str)
lists = st.lists(values, max_size=4).map(lambda items: f"({', '.join(items)})")
transformers = st.sampled_from(["tolower", "toupper", "basename", "b64"])
strings = st.one_of(
    st.sampled_from(STRING_FIELDS),
    st.builds("{}({})".format, transformers, st.sampled_from(STRING_FIELDS)),
)
string_ops = st.sampled_from(
    ["=", "==", "!=", "contains", "icontains", "startswith", "endswith", "glob", "iglob", "regex"]
)
set_ops = st.sampled_from(["in", "intersects"])
list_fields = st.sampled_from(LIST_FIELDS)
number_fields = st.sampled_from(NUMBER_FIELDS)
number_ops = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
checks = st.one_of(
    st.builds("{} exists".format, st.one_of(strings, number_fields, list_fields)),
    st.builds("{} {} {}".format, strings, string_ops, values),
    st.builds("{} {} val({})".format, strings, string_ops, st.sampled_from(STRING_FIELDS)),
    st.builds("{} {} {}".format, number_fields, number_ops, integers),
    st.builds("{} {} val({})".format, number_fields, number_ops, st.sampled_from(["t.n", "t.k"])),
    st.builds("{} {} {}".format, strings, st.sampled_from(["in", "intersects", "pmatch"]), lists),
    st.builds("{} {} {}".format, list_fields, set_ops, lists),
    st.builds("{} {} val({})".format, list_fields, set_ops, st.sampled_from(["t.l", "t.m"])),
    # Most of these are refused; both must refuse the same ones.
    st.builds(
        "{} {} {}".format,
        st.sampled_from([*NUMBER_FIELDS, *LIST_FIELDS, "t.b", "t.none", "tolower(t.n)"]),
        st.one_of(string_ops, number_ops, st.sampled_from(["in", "intersects", "pmatch"])),
        st.one_of(values, integers, lists),
    ),
)
conditions = st.recursive(
    checks,
    lambda inner: st.one_of(
        st.builds("{} and {}".format, inner, inner),
        st.builds("{} or {}".format, inner, inner),
        st.builds("not {}".format, inner),
        st.builds("({})".format, inner),
        st.builds("not({})".format, inner),
    ),
    max_leaves=6,
)
GENERATED = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@GENERATED
@given(condition=conditions)
def test_generated_condition(both: Both, condition: str) -> None:
    both.check(condition)


@GENERATED
@given(condition=conditions)
def test_unparsed_condition_means_the_same(both: Both, condition: str) -> None:
    try:
        tree = parse(condition)
    except ConditionError:
        return
    assert both.host(unparse(tree)) == both.host(condition)


OUTPUTS = (
    "%t.s",
    "a %t.s b",
    "%t.s%t.o",
    "%t.s,%t.l;%t.ln",
    "%10t.s|%3t.o|",
    "%5t.n|%t.n",
    "%t.b %t.t %t.r %t.k",
    "%t.arg[a.b] %t.arg[k] %t.arg",
    "%resource.x %resources %resource",
    "%toupper(t.s) %tolower(t.o)",
    "%toupper(tolower(t.s))",
    "%8toupper(t.s)|",
    "%len(t.s) %len(t.l)",
    "%basename(t.s)",
    "%b64(t.s)",
    "%toupper(t.l)",
    "%evt.num %evt.source %evt.pluginname %evt.plugininfo",
    "%evt.time %evt.time.s %evt.time.iso8601 %evt.datetime %evt.datetime.s",
    "%evt.rawtime %evt.rawtime.s %evt.rawtime.ns",
    "%evt.reltime %evt.reltime.s %evt.reltime.ns",
    "%evt.is_async %evt.asynctype",
    "%t.sx",
    "%evt.sourceip",
    "(%t.s) [%t.o]",
    "é %t.s ü",
    "%t.s[",
    "%t.arg[a",
    "%t.s[x]",
    "%t.nothing",
    "%nothing",
    "100%",
    "%5",
    "%%t.s",
    "%toupper(t.s",
    "%toupper (t.s)",
    "%toupper(t.n)",
    "%nope(t.s)",
)


@pytest.mark.parametrize("output", OUTPUTS)
def test_output(both: Both, output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    host, sinsp = both.host_text(output), both.sinsp_text("*" + output)
    if isinstance(host, str) or isinstance(sinsp, str):
        assert isinstance(host, str)
        assert isinstance(sinsp, str)
    else:
        # Values with line breaks span lines in sysdig's output.
        assert b"\n".join(host).split(b"\n") == b"\n".join(sinsp).split(b"\n")
