"""The page in a real browser: opened from disk, filtered, drilled into and printed."""

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.notify.alerts import line
from tests.real.parts import MissingPartError
from tests.rules.example_day import alerts
from tfdrift_core import __version__
from tfdrift_core.output.alert import PRIORITIES, parse
from tfdrift_core.report.about import UNKNOWN, About
from tfdrift_core.report.render import to_html
from tfdrift_core.report.rows import rows

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        raise MissingPartError("Chromium and its driver")
    options = webdriver.ChromeOptions()
    options.binary_location = str(chromium)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1600"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)) as found:
        yield found


@pytest.fixture
def page(browser: webdriver.Chrome, tmp_path: Path) -> webdriver.Chrome:
    more = line("Warning", **{"drift.user": HOSTILE, "drift.id": "hostile", "ct.time": "2026-03-17T11:00:00Z"})
    file = tmp_path / "drift.html"
    file.write_text(to_html(rows(map(parse, (*alerts(), more)))), encoding="utf-8")
    browser.get(file.as_uri())
    return browser


def shown(page: webdriver.Chrome) -> list[WebElement]:
    return page.find_elements(By.TAG_NAME, "article")


def test_everything_is_there_and_nothing_is_loaded(page: webdriver.Chrome) -> None:
    total = len(alerts()) + 1
    assert len(shown(page)) == total
    assert len(page.find_elements(By.CSS_SELECTOR, "#timeline circle")) == total
    assert f"{total} changes to " in page.find_element(By.ID, "summary").text
    assert page.title == "Drift report"
    assert page.get_log("browser") == []  # type: ignore[no-untyped-call]
    loaded = page.execute_script("return performance.getEntriesByType('resource').length")
    assert loaded == 0


def test_the_drill_down_shows_old_and_new(page: webdriver.Chrome) -> None:
    names = [code.text for code in page.find_elements(By.CSS_SELECTOR, "#details > details > summary code")]
    assert names == ["111122223333"]
    article = next(a for a in shown(page) if "EC2 instance type changed" in a.text)
    assert article.find_element(By.CSS_SELECTOR, "pre.old").text == "t3.micro"
    assert article.find_element(By.CSS_SELECTOR, "pre.new").text == "t3.small"
    assert "hanako.suzuki@example.com" in article.text
    assert "terraform apply -target='module.web.aws_instance.app[0]'" in article.text
    assert "/cloudtrailv2/home" in (article.find_element(By.TAG_NAME, "a").get_attribute("href") or "")


def test_the_filter_box(page: webdriver.Chrome) -> None:
    box = page.find_element(By.ID, "filter")
    box.send_keys("kenji bucket")
    assert 0 < len(shown(page)) < len(alerts())
    assert all("kenji.mori" in article.text for article in shown(page))
    assert " shown" in page.find_element(By.ID, "shown").text
    box.send_keys(" nothing-like-this")
    assert shown(page) == []
    assert "Nothing to show." in page.find_element(By.ID, "details").text
    page.find_element(By.ID, "reset").click()
    assert len(shown(page)) == len(alerts()) + 1


def test_counts_dots_and_cells_filter(page: webdriver.Chrome) -> None:
    critical = page.find_element(By.CSS_SELECTOR, "#counts button.critical")
    wanted = int(critical.text.split()[0])
    critical.click()
    assert len(shown(page)) == wanted
    page.find_element(By.CSS_SELECTOR, "#counts button.critical").click()
    page.find_elements(By.CSS_SELECTOR, "#timeline circle")[0].click()
    assert len(shown(page)) == 1
    page.find_element(By.ID, "reset").click()
    cell = page.find_element(By.CSS_SELECTOR, "#heatmap td button[title^='report-export, 22:00']")
    assert cell.text == "2"
    cell.click()
    assert len(shown(page)) == 2


def test_it_prints_on_paper(page: webdriver.Chrome) -> None:
    pdf = base64.b64decode(page.print_page())
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") + pdf.count(b"/Type /Page/") >= 2


def test_a_screenshot(page: webdriver.Chrome, tmp_path: Path) -> None:
    target = Path(os.environ.get("TFDRIFT_SCREENSHOTS", tmp_path)) / "report.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    height = page.execute_script("return document.documentElement.scrollHeight")
    page.set_window_size(1280, int(height) + 100)
    assert page.save_screenshot(str(target))
    assert target.stat().st_size > 20_000


def rendered(folder: Path, lines: Iterable[str], about: About = UNKNOWN) -> str:
    file = folder / "drift.html"
    file.write_text(to_html(rows(map(parse, lines)), about), encoding="utf-8")
    return file.as_uri()


def many(total: int) -> list[str]:
    """Alerts of ten services, three hundred people and a third as many resources."""
    return [
        line(
            "Critical" if n % 7 == 0 else "Warning",
            **{
                "drift.id": f"many-{n}",
                "drift.resource": f"aws_security_group.number{n % (total // 3)}",
                "drift.user": f"person{n % 300}",
                "cloud.service": f"service{n % 10}",
                "ct.time": f"2026-03-{1 + n % 28:02}T{n % 24:02}:{n % 60:02}:00Z",
            },
        )
        for n in range(total)
    ]


@pytest.fixture(scope="module")
def crowd(browser: webdriver.Chrome, tmp_path_factory: pytest.TempPathFactory) -> str:
    return rendered(tmp_path_factory.mktemp("crowd"), many(20_000))


def nodes(page: webdriver.Chrome) -> int:
    return int(page.execute_script("return document.getElementsByTagName('*').length"))


def test_of_twenty_thousand_changes_only_those_in_view_are_built(browser: webdriver.Chrome, crowd: str) -> None:
    browser.get(crowd)
    assert "20000 changes to 6666 resources by 300 identities" in browser.find_element(By.ID, "summary").text
    assert 0 < len(shown(browser)) < 200
    assert nodes(browser) < 12_000
    for part in range(1, 6):
        browser.execute_script("window.scrollTo(0, document.documentElement.scrollHeight * arguments[0])", part / 5)
        WebDriverWait(browser, 20).until(lambda page: page.execute_script(IN_VIEW))
        assert nodes(browser) < 12_000


IN_VIEW = "return document.elementsFromPoint(600, 700).some((node) => node.closest('article, h3, header, .resource'))"


def test_filters_find_every_one_of_twenty_thousand_and_build_a_few(browser: webdriver.Chrome, crowd: str) -> None:
    browser.get(crowd)
    box = browser.find_element(By.ID, "filter")
    for text, expected in (
        ("number17 ", "of 20000 shown"),
        ("many-19999", "1 of 20000"),
        ("person12 service2", "134 of 20000"),
    ):
        box.clear()
        box.send_keys(text)
        assert expected in browser.find_element(By.ID, "shown").text, text
        assert nodes(browser) < 12_000
    browser.find_element(By.ID, "reset").click()
    browser.find_element(By.CSS_SELECTOR, "#counts button.critical").click()
    assert browser.find_element(By.ID, "shown").text == f"{len(range(0, 20_000, 7))} of 20000 shown"


def test_the_views_group_the_same_changes(page: webdriver.Chrome) -> None:
    def groups() -> list[str]:
        return [code.text for code in page.find_elements(By.CSS_SELECTOR, "#details > details > summary code")]

    everything = len(shown(page))
    view(page, "person")
    assert set(groups()) >= {"kenji.mori@example.com", "mio", "dev-taro", HOSTILE}
    assert len(shown(page)) == everything
    view(page, "list")
    assert groups() == []
    priorities = [article.find_element(By.CSS_SELECTOR, "h4 span").text for article in shown(page)]
    assert priorities == sorted(priorities, key=PRIORITIES.index)


def view(page: webdriver.Chrome, name: str) -> None:
    page.find_element(By.CSS_SELECTOR, f"#views button[data-key={name}]").click()


def test_open_comes_first_and_what_ended_says_how(browser: webdriver.Chrome, tmp_path: Path) -> None:
    end = {
        "drift.kind": "resolved",
        "drift.id": "e1",
        "drift.opened_id": "d1",
        "drift.duration": 7_200_000_000_000,
        "drift.resolution": "reverted",
        "drift.user": "hanako",
        "ct.time": "2026-03-17T12:06:02Z",
    }
    lines = (line(), line("Informational", **end), line("Notice", **{"drift.id": "d2", "drift.resource": "aws_vpc.a"}))
    browser.get(rendered(tmp_path, lines))
    first, last = shown(browser)
    assert first.text.startswith("Notice")
    assert "Resolved (reverted) at 2026-03-17 12:06:02 UTC, open for 2 h, by hanako" in last.text
    browser.find_element(By.CSS_SELECTOR, "#counts button.status.resolved").click()
    assert len(shown(browser)) == 1


def test_two_workspaces_are_two_resources(browser: webdriver.Chrome, tmp_path: Path) -> None:
    places = [
        {"tf.state": f"s3://states/{name}", "tf.workspace": name, "drift.id": name} for name in ("default", "prod")
    ]
    browser.get(rendered(tmp_path, [line(**place) for place in places]))
    assert "2 changes to 2 resources by 1 identity" in browser.find_element(By.ID, "summary").text
    assert len(browser.find_elements(By.CSS_SELECTOR, ".resource")) == 2
    assert "workspace prod" in browser.find_element(By.ID, "details").text


def test_a_policy_shows_what_changed_by_path(page: webdriver.Chrome) -> None:
    article = next(a for a in shown(page) if "WebServersRead" in a.text)
    part = article.find_element(By.CSS_SELECTOR, ".part")
    assert part.find_element(By.TAG_NAME, "code").text == "Statement[0].Principal.AWS"
    assert part.find_element(By.CSS_SELECTOR, "pre.old").text == "arn:aws:iam::111122223333:role/shop-app"
    assert part.find_element(By.CSS_SELECTOR, "pre.new").text == "*"
    assert len(article.find_elements(By.CSS_SELECTOR, "pre.old")) == 2
    article.find_element(By.CSS_SELECTOR, ".whole summary").click()
    WebDriverWait(page, 20).until(lambda _: len(article.find_elements(By.CSS_SELECTOR, "pre.old")) == 3)
    assert '"Sid": "WebServersRead"' in article.find_elements(By.CSS_SELECTOR, "pre.old")[-1].text


def test_where_two_texts_differ_is_marked(page: webdriver.Chrome) -> None:
    article = next(a for a in shown(page) if "EC2 instance type changed" in a.text)
    assert [node.text for node in article.find_elements(By.TAG_NAME, "mark")] == ["micro", "small"]


def test_the_filter_is_in_the_address(page: webdriver.Chrome) -> None:
    page.find_element(By.ID, "filter").send_keys("kenji")
    page.find_element(By.CSS_SELECTOR, "#counts button.critical").click()
    view(page, "person")
    WebDriverWait(page, 20).until(lambda found: "view=person" in found.current_url)
    assert page.current_url.endswith("#text=kenji&priority=Critical&view=person")
    expected = len(shown(page))
    address = page.current_url
    page.get("about:blank")
    page.get(address)
    assert page.find_element(By.ID, "filter").get_attribute("value") == "kenji"
    assert 0 < len(shown(page)) == expected
    page.find_element(By.ID, "reset").click()
    assert len(shown(page)) == len(alerts()) + 1


def test_a_hostile_address_is_text(page: webdriver.Chrome) -> None:
    page.get(
        f"{page.current_url.partition('#')[0]}#text=%3Cimg%20src%3Dx%3E&view=constructor&hour=x&user=%3Cb%3E&id=%FF"
    )
    page.refresh()
    assert page.find_element(By.ID, "filter").get_attribute("value") == "<img src=x>"
    assert page.find_element(By.ID, "details").text == "Nothing to show."
    assert page.find_elements(By.TAG_NAME, "img") == []


@pytest.mark.parametrize("key", [Keys.ENTER, Keys.SPACE])
@pytest.mark.parametrize(
    "control",
    [
        "#counts button.critical",
        "#heatmap td button",
        "#heatmap th button",
        "#timeline circle[tabindex='0']",
        "#views button",
    ],
)
def test_every_control_takes_enter_and_space_and_keeps_the_focus(
    page: webdriver.Chrome, control: str, key: str
) -> None:
    before = page.find_element(By.ID, "shown").text, page.find_element(By.ID, "views").text
    node = page.find_elements(By.CSS_SELECTOR, control)[-1 if control == "#views button" else 0]
    name = node.get_attribute("data-key") or node.get_attribute("data-id")
    page.execute_script("arguments[0].focus()", node)
    page.switch_to.active_element.send_keys(key)
    focused = page.switch_to.active_element
    assert (focused.get_attribute("data-key") or focused.get_attribute("data-id")) == name
    if control != "#views button":
        assert page.find_element(By.ID, "shown").text != before[0]
        page.switch_to.active_element.send_keys(key)
        assert page.find_element(By.ID, "shown").text == before[0]


def test_arrow_keys_walk_the_timeline_that_is_one_stop(page: webdriver.Chrome) -> None:
    assert len(page.find_elements(By.CSS_SELECTOR, "#timeline circle[tabindex='0']")) == 1
    first = page.find_element(By.CSS_SELECTOR, "#timeline circle[tabindex='0']")
    page.execute_script("arguments[0].focus()", first)
    page.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert page.switch_to.active_element != first
    assert page.switch_to.active_element.tag_name == "circle"
    assert len(page.find_elements(By.CSS_SELECTOR, "#timeline circle[tabindex='0']")) == 1


def test_a_folded_group_stays_folded(page: webdriver.Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, "#details > details > summary").click()
    page.find_element(By.ID, "filter").send_keys("kenji")
    assert page.find_element(By.CSS_SELECTOR, "#details > details").get_attribute("open") is None


def test_hint_and_address_are_copied(page: webdriver.Chrome) -> None:
    page.execute_script("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    article = next(a for a in shown(page) if "EC2 instance type changed" in a.text)
    article.find_element(By.CSS_SELECTOR, ".copy").click()
    assert str(page.execute_script("return window.copied")).startswith("Undo: terraform apply -target=")
    page.find_element(By.CSS_SELECTOR, ".resource h3 .copy").click()
    address = page.find_element(By.CSS_SELECTOR, ".resource h3 code").text
    assert page.execute_script("return window.copied") == address
    assert page.find_element(By.ID, "said").text == "Copied: address"


def test_it_says_when_it_was_made_and_from_what(browser: webdriver.Chrome, tmp_path: Path) -> None:
    browser.get(rendered(tmp_path, [line()], About("2026-03-18T09:00:00Z", ("alerts.json", "<b>.json"))))
    text = browser.find_element(By.ID, "about").text
    assert text == f"Made by TFDrift {__version__} on 2026-03-18 09:00:00 UTC from alerts.json, <b>.json"


CONTRASTS = (Path(__file__).parent / "contrasts.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(page: webdriver.Chrome, scheme: str) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)  # type: ignore[no-untyped-call]
    try:
        page.find_element(By.CSS_SELECTOR, ".whole summary").click()
        found = page.execute_script(CONTRASTS)
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})  # type: ignore[no-untyped-call]
    assert len(found) > 100
    assert [one for one in found if one[0] < 4.5] == []


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: webdriver.Chrome, tmp_path: Path) -> None:
    browser.execute_cdp_cmd(  # type: ignore[no-untyped-call]
        "Emulation.setDeviceMetricsOverride", {"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        browser.get(rendered(tmp_path, [*alerts(), line(**{"drift.user": "x" * 300, "drift.id": "long"})]))
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 375
        wide = """return [...document.querySelectorAll('article *, #heatmap *')]
          .filter((node) => node.getBoundingClientRect().right > 376).length"""
        assert browser.execute_script(wide) == 0
        turned = (
            "return [...document.querySelectorAll('*')].filter((n) => getComputedStyle(n).rotate !== 'none').length"
        )
        assert browser.execute_script(turned) == 0
        name, cell = (browser.find_element(By.CSS_SELECTOR, f"#heatmap tbody {one}") for one in ("th", "td"))
        assert name.rect["y"] + name.rect["height"] <= cell.rect["y"] + 1
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})  # type: ignore[no-untyped-call]


def test_everything_is_on_paper(browser: webdriver.Chrome, tmp_path: Path) -> None:
    browser.get(rendered(tmp_path, many(120)))
    view(browser, "person")
    browser.find_element(By.CSS_SELECTOR, "#details > details > summary").click()
    text = printed(base64.b64decode(browser.print_page()), tmp_path)
    assert len(re.findall(r"Security group opened to the world", text)) == 120
    for n in (0, 57, 119):
        assert f"person{n}" in text
    assert all(f"{hour:02}" in text for hour in range(24))
    assert len(shown(browser)) < 120


def test_nothing_scrolls_on_paper(page: webdriver.Chrome) -> None:
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})  # type: ignore[no-untyped-call]
    try:
        page.set_window_size(760, 1000)
        cut = """return [...document.querySelectorAll('body *')].filter((node) => {
          const style = getComputedStyle(node);
          return ['auto', 'scroll'].includes(style.overflowX) || ['auto', 'scroll'].includes(style.overflowY)
            || node.getBoundingClientRect().right > innerWidth + 1;
        }).map((node) => node.tagName + '.' + node.className)"""
        assert page.execute_script(cut) == []
        breaks = "return getComputedStyle(document.querySelector('.resource')).breakInside"
        assert page.execute_script(breaks) == "avoid"
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})  # type: ignore[no-untyped-call]
        page.set_window_size(1280, 1600)


def printed(pdf: bytes, folder: Path) -> str:
    """The text of a PDF, by poppler's tool."""
    tool = shutil.which("pdftotext")
    if tool is None:
        raise MissingPartError("pdftotext")
    (folder / "page.pdf").write_bytes(pdf)
    done = subprocess.run(
        [str(tool), str(folder / "page.pdf"), "-"], check=True, capture_output=True, text=True, timeout=120
    )
    return done.stdout
