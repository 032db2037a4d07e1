import pytest

from tfdrift_core.terraform.hcl import HclError, parse

BLOCK = """
resource "aws_instance" "app" {
  lifecycle { ignore_changes = [ami, tags["A"]] }
}
"""

# What Terraform reads; each of these has kept some reader of HCL from the rest of its file.
ODD = {
    "newline before the arrow": "locals {\n a = { for k, v in var.m : k\n  => v }\n}",
    "newline after the arrow": 'locals {\n a = { for k, v in var.m : k =>\n  v\n if v != "" }\n}',
    "for over lines": "locals {\n a = [\n for x in\n var.l\n :\n x\n if x > 1\n ]\n}",
    "grouping for": "locals {\n a = { for k, v in m : v => k... if k != null }\n}",
    "newline in an interpolation": 'locals {\n a = "x-${\n  var.a\n  }-y"\n}',
    "call over lines in an interpolation": 'locals {\n a = "${join(",", [\n "a", # one\n "b"\n ])}"\n}',
    "string in a string": 'locals {\n a = "${f("}", "${g("{")}")}"\n}',
    "comment in an interpolation": 'locals {\n a = "${ /* } */ var.a }"\n}',
    "strip markers": 'locals {\n a = "%{ for x in\n var.l ~} ${~ x ~} %{ endfor\n ~}"\n}',
    "directives": 'locals {\n a = "%{ if a }b%{ else }c%{ endif }"\n}',
    "escaped templates": 'locals {\n a = "$${a %%{b} ${c} $$ % %% \\" \\\\"\n}',
    "non-ASCII names": 'locals {\n größe = var.länge\n 名前 = "x"\n e\u0301te = 1\n}\nresource "aws_x" "é" {}',
    "names with dashes": "locals {\n a-b = local.c-d\n}\nresource aws_x no-quotes {}",
    "heredocs": 'locals {\n a = <<EOT\n } " ${ f("}") } %{ if x }\nEOT\n b = <<-E_2\n   x\n   E_2\n}',
    "heredoc as an argument": "locals {\n a = f(<<EOT\n x )\nEOT\n , 1)\n b = [<<A\nA\n, <<B\nB\n]\n}",
    "marker inside a line": "locals {\n a = <<EOT\n not EOT\nEOT2\nEOT\n}",
    "quotes in comments": 'locals {\n # it\'s "\n // "{\n /* " { \n */ a = 1 /* b */ # c\n}',
    "comments in odd places": "locals /* a */ { # b\n a /* c */ = /* d */ [ # e\n 1, // f\n /* g */ 2\n # h\n ]\n}",
    "conditional in parentheses": "locals {\n a = (\n var.x\n ? 1\n : 2\n )\n}",
    "operators over lines": "locals {\n a = (1 +\n 2 ==\n 3 && !true || -x.y[*].z != null)\n}",
    "indexes and splats": 'locals {\n a = b.0.c[0]["x"].*.d[*].e["${f}"]\n}',
    "provider functions": 'locals {\n a = provider::aws::arn_parse("x").account\n}',
    "objects in one line": 'locals { a = { b = 1, "c" : 2, (d) = 3, "${e}" = 4, f.g : 5 } }',
    "trailing commas": "locals {\n a = f(1, 2,)\n b = [1,\n]\n c = { a = 1,\n b = 2,\n }\n}",
    "expansion": "locals {\n a = max(var.l...)\n}",
    "numbers": "locals {\n a = 1.5e-3 + -7 % 0.5 / 1E6\n}",
    "Windows line ends": "locals {\r\n a = [\r\n 1,\r\n ]\r\n b = <<E\r\n x\r\n  E\r\n}\r\n",
    "empty blocks and lines": "\n\n\nlocals {}\n\n terraform {\n}\n",
    "a block without an equals sign in a name like a keyword": 'for "in" if {\n null = true\n}',
    "import, moved and check": 'moved {\n from = a.b["c"]\n to = d.e[0]\n}\ncheck "x" {\n assert { condition = a }\n}',
    "dynamic": 'resource "aws_y" "z" {\n dynamic "a" {\n for_each = { for k in b : k => k }\n content { b = 1 }\n }\n}',
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
@pytest.mark.parametrize("place", ["before", "after"])
def test_what_terraform_reads_hides_nothing(text, place):
    whole = f"{text}\n{BLOCK}" if place == "before" else f"{BLOCK}{text}"
    found = next(block for block in parse(whole).all("resource", "aws_instance", "app"))
    assert found.line == whole[: whole.index('resource "aws_instance"')].count("\n") + 1
    (lifecycle,) = found.body.blocks
    assert lifecycle.body.attributes["ignore_changes"].items == ("ami", 'tags["A"]')


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = = 1", 1),
        ("a = 1 b = 2", 1),
        ("\na =\n1", 2),
        ('a "b"\n{\n}', 1),
        ("a {", 1),
        ("a }", 1),
        ("x {\n a = [1, }\n}", 2),
        ('a = "x\n"', 1),
        ('\n\na = "${x"\n', 3),
        ("a = <<E\nx\n", 1),
        ("a = 'x'", 1),
        ("\n'", 2),
        ('"a" = 1', 1),
        ("a", 1),
        ("/* no end", 1),
    ],
)
def test_what_is_not_hcl_is_refused_with_its_line(text, line):
    with pytest.raises(HclError, match=f"^line {line}: not valid HCL"):
        parse(text)


@pytest.mark.parametrize("part", ["{", "(", "a {\n", '"${', 'a = "${', "a = {b=", '"%{', "<<A\n"])
def test_hostile_depth_and_length_end(part):
    with pytest.raises(HclError):
        parse(part * 20_000)
