"""CODEOWNERS by GitHub's rules: the examples of its documentation, and what it says of them."""

from pathlib import Path

import pytest

from tfdrift_core.terraform.owners import owners, read, repository, rules

DOCUMENTED = r"""
# Each line is a pattern followed by owners.
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/* docs@example.com
apps/ @octocat
/documents/ @doctocat
/scripts/ @doctocat @octocat
**/logs @octocat
/shared/ @octocat
/shared/github
"""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("main.tf", "@global-owner1 @global-owner2"),
        ("deep/main.tf", "@global-owner1 @global-owner2"),
        ("a.js", "@js-owner"),
        ("deep/down/a.js", "@js-owner"),
        ("a.go", "docs@example.com"),
        ("a.txt", "@octo-org/octocats"),
        ("build/logs/x/y", "@octocat"),
        ("docs/getting-started.md", "docs@example.com"),
        ("docs/build-app/troubleshooting.md", "@global-owner1 @global-owner2"),
        ("deep/apps/x/y", "@octocat"),
        ("documents/x", "@doctocat"),
        ("deep/documents/x", "@global-owner1 @global-owner2"),
        ("scripts/x", "@doctocat @octocat"),
        ("deeply/nested/logs/x", "@octocat"),
        ("shared/x", "@octocat"),
        ("shared/github", ""),
        ("shared/github/x", ""),
    ],
)
def test_the_documentations_examples(path: str, found: str) -> None:
    assert " ".join(owners(rules(DOCUMENTED), path)) == found


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/*", "main.tf", True),
        ("/*", "a/main.tf", False),
        ("a/**", "a/b/c.tf", True),
        ("a/**", "a", False),
        ("a/**/c.tf", "a/c.tf", True),
        ("a/**/c.tf", "a/x/y/c.tf", True),
        ("a/b", "x/a/b", False),
        ("b", "x/b/y", True),
        ("*.tf", "x/a.tf.json", False),
        ("m?in.tf", "main.tf", True),
        ("m?in.tf", "m/in.tf", False),
        ("A.tf", "a.tf", False),
        (r"a\ b.tf", "a b.tf", True),
        (r"a\*.tf", "axx.tf", False),
        ("a.tf", "axtf", False),
        ("/", "a.tf", False),
        ("**", "a/b.tf", True),
        ("network/", "network", False),
    ],
)
def test_patterns(pattern: str, path: str, fits: bool) -> None:
    assert bool(owners(rules(f"{pattern} @x"), path)) == fits


@pytest.mark.parametrize(
    "line", ["!a.tf @x", "[a]*.tf @x", "a.tf x", "a.tf @x y", "***/a.tf @x", r"\#a @x", "# @x", "@"]
)
def test_a_line_that_github_refuses_says_nothing(line: str) -> None:
    assert owners(rules(f"* @all\n{line}"), "a.tf") == ("@all",)


def test_the_first_of_three_places_counts(tmp_path: Path) -> None:
    file = tmp_path / "infra" / "main.tf"
    for folder in (file.parent, tmp_path / "docs", tmp_path / ".github"):
        folder.mkdir()
    assert repository(file) is None
    for place, owner in (("docs/CODEOWNERS", "@docs"), ("CODEOWNERS", "@root"), (".github/CODEOWNERS", "@github")):
        (tmp_path / place).write_text(f"* {owner}\n")
        assert repository(file) == tmp_path
        assert owners(read(tmp_path), "infra/main.tf") == (owner,)
    (tmp_path / ".github" / "CODEOWNERS").write_bytes(b"* @x\n" * (1 << 20))
    assert read(tmp_path) == ()


def test_a_checkout_ends_the_search(tmp_path: Path) -> None:
    (tmp_path / "CODEOWNERS").write_text("* @outside\n")
    (tmp_path / "checkout" / ".git").mkdir(parents=True)
    assert repository(tmp_path / "checkout" / "main.tf") == tmp_path / "checkout"
    assert read(tmp_path / "checkout") == ()


@pytest.mark.parametrize("text", ["*a" * 240 + " @x", "\0 @x", "a" * 9999 + " @x", "/ " * 5000, "\\", "\\ @x"])
def test_nothing_that_stands_there_does_harm(text: str) -> None:
    assert owners(rules(text), "a" * 5000) in ((), ("@x",))
    assert owners(rules(text + "\n* @y"), "\udcff/a") in ((), ("@x",), ("@y",))
