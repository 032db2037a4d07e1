"""Events of the stand-in plugin with every kind of value that conditions and output lines must get right."""

from tests.host.standin import Event

EVENTS: tuple[Event, ...] = (
    {},
    {"t.s": "alpha", "t.o": "alpha", "t.l": ["alpha"], "t.m": ["alpha"], "t.n": 1, "t.k": 1, "t.b": 1},
    {"t.s": "Alpha", "t.o": "alpha", "t.l": ["alpha", "Beta"], "t.m": ["Beta", "alpha"], "t.n": 2, "t.k": 3, "t.b": 0},
    {"t.s": "beta", "t.l": ["a b", "c"], "t.m": ["c"], "t.n": 0, "t.ln": [1, 2, 3], "t.t": 1, "t.r": 2},
    {"t.s": "a b", "t.o": " ", "t.l": ["alpha", "alpha"], "t.n": 2**64 - 1, "t.k": 2**63, "t.ln": [7]},
    {"t.s": "/usr/lib/x", "t.o": "/usr/lib", "t.l": ["/usr", "/"], "t.n": 10, "t.b": 1},
    {"t.s": "/usr/local/lib/", "t.o": "lib", "t.m": ["/usr/local"], "t.n": 100},
    {"t.s": "usr//lib", "t.o": "*", "t.n": 7, "t.k": 7},
    {"t.s": "YWxwaGE=", "t.o": "YWxwaGE", "t.n": 5},
    {"t.s": "not base64!", "t.o": "", "t.l": [""], "t.n": 3},
    {"t.s": "müller", "t.o": "MÜLLER", "t.l": ["é"], "t.n": 4},
    {"t.s": b"\xff\xfe", "t.o": b"caf\xc3", "t.l": [b"\x80"]},
    {"t.s": "", "t.o": "x"},
    {"t.s": 'quo"te', "t.o": "it's", "t.l": ["a,b", "(c)"]},
    {"t.s": "back\\slash", "t.o": "tab\tnew\nline", "t.l": ["a\tb"]},
    {"t.s": "10.0.0.1", "t.o": "10", "t.l": ["10", "2"], "t.n": 42, "t.k": 10},
    {"t.s": "arn:aws:iam::123456789012:user/alice", "t.o": "alice", "t.arg": ["a.b=deep", "k=v", "x/y=z"]},
    {"t.arg": ["=plain", "a.b="], "resource": "aws_instance.web[0]", "t.s": "[abc]", "t.o": "b"},
    {"t.s": "x" * 1100, "t.l": ["y" * 600, "z" * 600], "t.o": "x" * 1023},
    {"t.t": 2**63, "t.r": 2**64 - 1, "t.ln": [0, 2**64 - 1], "t.b": 2, "t.n": 9, "resource": "r"},
    {"t.s": "<NA>", "t.o": "null", "t.l": ["<NA>"]},
    {"t.s": "%t.o", "t.o": "t.s", "t.l": ["val(t.s)"]},
)
