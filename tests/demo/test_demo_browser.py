"""The example application in a real browser, with two workers behind it."""

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from servers.process import free_port

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
COMMAND = "from holdfast.cli import main; main()"


class Demo:
    """`holdfast demo` in processes of its own."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = database.with_suffix(".log")

    def start(self) -> None:
        options = ["--port", str(self.port), "--workers", "2", "--db", str(self.database)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-c", COMMAND, "demo", *options], stdout=log, stderr=log
            )
        until = time.monotonic() + 30
        while time.monotonic() < until and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/headers"):  # noqa: S310 - our own
                    return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        pytest.fail(f"the demo does not answer: {self.log.read_text()}")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    demo = Demo(tmp_path_factory.mktemp("demo") / "demo.db")
    demo.start()
    yield demo
    demo.stop()
    assert "Traceback" not in demo.log.read_text(), demo.log.read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        if os.environ.get("CI"):
            pytest.fail("CI needs chromium: sh tests/install-servers.sh")
        pytest.skip("NO BROWSER, so the demo is not tested: sh tests/install-servers.sh")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def visitor(browser: Browser, demo: Demo) -> Iterator[BrowserContext]:
    with browser.new_context(base_url=demo.url) as context:
        context.set_default_timeout(15_000)
        yield context


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    page = visitor.new_page()
    page.goto("/")
    return page


def press(page: Page, button: str) -> None:
    """Press a button and wait until all of the page it leads to is there."""
    with page.expect_navigation():
        page.get_by_role("button", name=button).click()


def sign_in(page: Page, name: str) -> None:
    page.goto("/")
    page.get_by_label("Your name").fill(name)
    press(page, "Sign in")
    expect(page.locator("#user")).to_have_text(name)


def handle(page: Page) -> str:
    return page.locator("#handle").inner_text()


def token(context: BrowserContext) -> str:
    (cookie,) = context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    return cookie["value"]


def test_signing_in_moves_the_session_to_a_new_token(visitor: BrowserContext, page: Page) -> None:
    before, old = handle(page), token(visitor)
    sign_in(page, "Ann <b>")
    assert page.locator("#before").inner_text() == before
    assert page.locator("#after").inner_text() == handle(page) != before
    assert token(visitor) != old
    expect(page.get_by_role("status")).to_have_text("Welcome, Ann <b>.")
    page.reload()
    assert page.locator("#before, .flash").count() == 0, "a message is shown once"
    assert page.locator("footer").inner_text().startswith("signed in as Ann <b>")


def test_the_old_token_is_nobody(demo: Demo, browser: Browser, visitor: BrowserContext) -> None:
    page = visitor.new_page()
    page.goto("/")
    old = visitor.cookies()
    sign_in(page, "Ann")
    with browser.new_context(base_url=demo.url) as thief:
        thief.add_cookies([{"name": c["name"], "value": c["value"], "url": demo.url} for c in old])
        other = thief.new_page()
        other.goto("/")
        expect(other.get_by_label("Your name")).to_be_visible()
        other.get_by_label("Your name").fill("Mallory")
        press(other, "Sign in")
        expect(other.locator("h1")).to_have_text("Old form")
    page.reload()
    expect(page.locator("#user")).to_have_text("Ann")


def test_signing_out_forgets_the_session(visitor: BrowserContext, page: Page) -> None:
    sign_in(page, "Ann")
    signed_in = visitor.cookies()
    press(page, "Sign out")
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    expect(page.get_by_label("Your name")).to_be_visible()
    visitor.add_cookies([{**signed_in[0]}])  # type: ignore[typeddict-item]
    page.goto("/")
    expect(page.get_by_label("Your name")).to_be_visible()


def test_who_is_signed_in_elsewhere_is_listed_and_ended(
    browser: Browser, demo: Demo, page: Page
) -> None:
    sign_in(page, "Grace")
    expect(page.locator("#sessions li")).to_have_count(1)
    phone = "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Version/17.0 Mobile Safari/604.1"
    with (
        browser.new_context(base_url=demo.url, user_agent=phone) as one,
        browser.new_context(base_url=demo.url, user_agent="curl/8.0") as another,
    ):
        pages = [one.new_page(), another.new_page()]
        for other in pages:
            sign_in(other, "Grace")
        page.reload()
        listed = page.locator("#sessions")
        expect(listed.locator("li")).to_have_count(3)
        expect(listed).to_contain_text("Safari on iPhone")
        press(page, "End curl")
        expect(page.get_by_role("status")).to_have_text("That session was ended.")
        expect(listed).not_to_contain_text("curl")
        pages[1].reload()
        expect(pages[1].get_by_label("Your name")).to_be_visible()
        press(page, "End all others")
        expect(page.get_by_role("status")).to_have_text("Sessions that were ended: 1.")
        expect(listed.locator("li")).to_have_count(1)
        press(pages[0], "Sign out")  # a form of a session that is no more
        expect(pages[0].locator("h1")).to_have_text("Old form")
    page.reload()
    expect(page.locator("#user")).to_have_text("Grace")


def test_who_is_remembered_outlasts_the_browser(visitor: BrowserContext, page: Page) -> None:
    assert visitor.cookies()[0]["expires"] == -1, "it ends with the browser"
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("checkbox").check()
    press(page, "Sign in")
    days = (visitor.cookies()[0]["expires"] - time.time()) / (24 * 3600)
    assert 29.9 < days <= 30
    expect(page.locator("dl").last).to_contain_text("used or not")


def test_two_tabs_fill_one_cart_at_once(visitor: BrowserContext, page: Page) -> None:
    sign_in(page, "Ann")
    tabs = [page, visitor.new_page()]
    for tab in tabs:
        tab.goto("/cart")
        tab.get_by_role("checkbox").check()
    for tab, item in zip(tabs, ("Tea", "Rope"), strict=True):  # both are in hand for three seconds
        tab.get_by_role("button", name=item).click(no_wait_after=True)
    third = visitor.new_page()
    third.goto("/cart")
    press(third, "Lantern")
    expect(third.locator("#count")).to_have_text("1")  # the slow ones are still under way
    for tab in tabs:
        tab.wait_for_load_state()
    expect(tabs[0].get_by_role("checkbox")).not_to_be_checked()
    expect(tabs[1].get_by_role("checkbox")).not_to_be_checked()
    page.goto("/cart")
    expect(page.locator("#count")).to_have_text("3")
    expect(page.locator(".list")).to_contain_text("Tea")
    expect(page.locator(".list")).to_contain_text("Rope")
    press(page, "Empty the cart")
    expect(page.locator("#count")).to_have_text("0")


def test_the_report_is_made_once_and_can_be_invalidated(page: Page) -> None:
    page.goto("/report")
    if page.get_by_role("button", name="Invalidate it").count():
        press(page, "Invalidate it")
    press(page, "Make the report")
    ships = page.locator("#ships").inner_text()
    for _ in range(6):  # on whichever worker
        page.reload()
        assert page.locator("#ships").inner_text() == ships
        assert float(page.locator("#read").inner_text().split()[0]) < 500, "milliseconds"
    press(page, "Invalidate it")
    for _ in range(6):
        expect(page.get_by_role("button", name="Make the report")).to_be_visible()
        page.reload()


def test_the_sixth_ring_says_when_to_try_again(page: Page) -> None:
    page.goto("/bell")
    for left in (4, 3, 2, 1, 0):
        press(page, "Ring the bell")
        expect(page.get_by_role("status")).to_have_text("Ding!")
        expect(page.locator("#left")).to_have_text(str(left))
    with page.expect_response("**/bell") as refused:
        press(page, "Ring the bell")
    assert refused.value.status == 429
    seconds = int(refused.value.headers["retry-after"])
    assert 1 <= seconds <= 12
    expect(page.get_by_role("alert")).to_contain_text(f"Try again in {seconds} s")


def test_the_headers_page_shows_both_sides(visitor: BrowserContext, page: Page) -> None:
    page.goto("/headers")
    received, sent = page.locator("section").all()
    expect(received).to_contain_text(f"demo={token(visitor)}")
    expect(received).to_contain_text("user-agent")
    expect(sent).to_contain_text("Cookie")
    expect(sent).not_to_contain_text("set-cookie")
    press(page, "new token")
    expect(sent).to_contain_text("no-store")
    expect(sent).to_contain_text(f"demo={token(visitor)}; Path=/; HttpOnly; SameSite=Lax")


def test_a_form_of_another_session_is_refused(page: Page, visitor: BrowserContext) -> None:
    visitor.clear_cookies()
    with page.expect_response("**/sign-in") as refused:
        page.get_by_label("Your name").fill("Mallory")
        press(page, "Sign in")
    assert refused.value.status == 403
    expect(page.locator("h1")).to_have_text("Old form")


def test_a_restart_keeps_everybody_signed_in(demo: Demo, page: Page) -> None:
    sign_in(page, "Ann")
    page.goto("/cart")
    press(page, "Compass")
    expect(page.locator("#count")).to_have_text("1")
    before = page.locator("footer").inner_text()
    demo.stop()
    demo.start()
    page.goto("/cart")
    expect(page.locator("#count")).to_have_text("1")
    assert page.locator("footer").inner_text() != before, "another worker"
    page.goto("/")
    expect(page.locator("#user")).to_have_text("Ann")


@pytest.mark.parametrize("path", ["/", "/cart", "/report", "/bell", "/headers"])
def test_nothing_is_wider_than_a_telephone(page: Page, path: str) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    page.goto(path)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360
