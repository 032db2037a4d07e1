"""The page in a real browser: opened from disk, filtered, drilled into and printed."""

import base64
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.notify.alerts import line
from tests.rules.example_day import alerts
from tfdrift_core.output.alert import parse
from tfdrift_core.report.render import to_html
from tfdrift_core.report.rows import rows

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        message = "no browser: install the Debian packages chromium and chromium-driver"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
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
