"""Writes ``rules/README.md`` from the rules file: ``python rules/readme.py``."""

import re
from pathlib import Path

import yaml

HERE = Path(__file__).parent
ATTACK = "https://attack.mitre.org/techniques/"


def _technique(tag: str) -> str:
    return f"[{tag}]({ATTACK}{tag.replace('.', '/')})"


def _table(text: str) -> list[str]:
    lines: list[str] = []
    for part in re.split(r"^# --- (?=[A-Z])", text, flags=re.MULTILINE)[1:]:
        title = part.partition(" -----")[0]
        rules = [item for item in yaml.safe_load(part.partition("\n")[2]) or [] if "rule" in item]
        if not rules:
            continue
        lines += ["", f"### {title}", "", "| rule | priority | what | ATT&CK | controls |", "|---|---|---|---|---|"]
        for rule in rules:
            tags = rule["tags"][2:]
            techniques = [_technique(tag) for tag in tags if re.fullmatch(r"T\d{4}(\.\d{3})?", tag)]
            controls = [tag for tag in tags if not re.fullmatch(r"T\d{4}(\.\d{3})?", tag)]
            cells = (rule["rule"], rule["priority"].capitalize(), rule["desc"], *map(", ".join, (techniques, controls)))
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _lists(text: str) -> list[str]:
    found = re.findall(r"^# (.+)\n- list: (\w+)\n  items: \[\]", text, re.MULTILINE)
    return ["| list | what it silences |", "|---|---|", *(f"| `{name}` | {comment} |" for comment, name in found)]


def markdown(text: str) -> str:
    count = sum("rule" in item for item in yaml.safe_load(text))
    return "\n".join(
        [
            "# Rules",
            "",
            "<!-- Generated from tfdrift_rules.yaml by readme.py; do not edit. -->",
            "",
            f"`tfdrift_rules.yaml` holds {count} rules for the event source `tfdrift`. Falco takes the first that",
            "matches: what is specific and dangerous comes first, the last rules catch whatever is left.",
            "`examples/` holds rules to start your own from. How to adapt them: [docs/alerts.md](../docs/alerts.md).",
            "",
            "* **Critical**: dangerous. Data or an account may be open to others, or nobody would notice.",
            "* **Error**: the next apply breaks, or changes what may run, or a guard is gone.",
            "* **Warning**: everything else that differs from the configuration.",
            "* **Notice**: created outside Terraform, ended, or only tried.",
            "",
            "## Your exceptions",
            "",
            "Override these lists in a file of your own, loaded after this one:",
            "",
            *_lists(text),
            "",
            "What the lists cannot tell goes into the macro `tfdrift_exception`.",
            "",
            "## The rules",
            *_table(text),
            "",
        ]
    )


if __name__ == "__main__":
    (HERE / "README.md").write_text(markdown((HERE / "tfdrift_rules.yaml").read_text()))
