"""The annotated page in a headless browser: it fits the screen, every formula is seen whole, and nothing goes wrong.

`browser_page` of conftest.py asserts that the console has no error and that nothing asks for the network.
"""

import subprocess
import sys

import pytest

pytest.importorskip("latex2mathml", reason="needs the extra `experiments`")

from experiments.page.__main__ import PAGE

pytestmark = pytest.mark.slow
MEASURE = """selector => [...document.querySelectorAll(selector)].map(e => [
    e.scrollWidth - e.clientWidth, e.scrollHeight - e.clientHeight, e.textContent.slice(0, 60)])"""
BEYOND = """() => [...document.querySelectorAll('.scroll, pre')].filter(e => e.scrollWidth > e.clientWidth).map(e => {
    const style = getComputedStyle(e);
    return [style.backgroundImage.includes('svg'), parseFloat(style.paddingBottom)]; })"""
SIZES = """() => [...document.querySelectorAll('.equation math')].map(e => {
    const box = e.getBoundingClientRect(); return [box.width, box.height]; })"""


@pytest.fixture
def shown(browser_page):
    """Show the page, with its font loaded."""
    browser_page.goto(PAGE.as_uri())
    browser_page.evaluate("document.fonts.ready")
    return browser_page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_the_page_is_no_wider_than_the_screen(shown, width, scheme):
    """Formulas, code and tables may scroll in a box of their own; no formula is cut above or below."""
    shown.emulate_media(color_scheme=scheme)
    shown.set_viewport_size({"width": width, "height": 800})
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    assert not [text for _, below, text in shown.evaluate(MEASURE, ".scroll") if below > 0]


@pytest.mark.parametrize("width", [390, 800])
def test_what_goes_on_to_the_side_has_room_for_an_arrow(shown, width):
    shown.set_viewport_size({"width": width, "height": 800})
    boxes = shown.evaluate(BEYOND)
    assert len(boxes) > 50 and all(arrow and room >= 16 for arrow, room in boxes)


def test_the_arrow_goes_when_the_end_is_in_sight(shown):
    shown.set_viewport_size({"width": 390, "height": 800})
    box = shown.locator("#eq15 ~ .equation.right .scroll").first
    box.scroll_into_view_if_needed()
    place = box.bounding_box()
    corner = {"x": place["x"] + place["width"] - 11, "y": place["y"] + place["height"] - 14, "width": 11, "height": 14}
    before = shown.screenshot(clip=corner)
    box.evaluate("e => e.scrollLeft = e.scrollWidth")
    assert len(shown.screenshot(clip=corner)) < len(before)  # one colour needs fewer bytes


def test_every_equation_is_drawn_in_the_font_of_the_page(shown):
    for number in range(1, 28):
        assert shown.locator(f"#eq{number}").is_visible()
        assert f"({number})" in shown.locator(f"#eq{number} ~ .equation").first.inner_text()
    sizes = shown.evaluate(SIZES)
    assert len(sizes) >= 27 and all(width > 30 and height > 10 for width, height in sizes)
    assert shown.evaluate("[...document.fonts].map(font => font.family + ' ' + font.status)") == ["Page Math loaded"]


def test_the_code_of_algorithm_1_is_not_clipped_on_a_laptop(shown):
    shown.set_viewport_size({"width": 1280, "height": 800})
    assert not [text for beyond, _, text in shown.evaluate(MEASURE, ".lines pre") if beyond > 0]


def test_the_contents_stay_beside_the_text(shown):
    """On a wide screen they can be clicked from anywhere; on a phone they stand at the top."""
    for width, stays in ((1280, True), (390, False)):
        shown.set_viewport_size({"width": width, "height": 800})
        shown.evaluate("window.scrollTo(0, 9000)")
        assert (shown.locator("nav").bounding_box()["y"] == 0) is stays


def test_the_small_pictures_of_the_pages_are_taken_anew(chromium, tmp_path):
    """By the program that made the committed ones; they are small enough for the front page."""
    pytest.importorskip("matplotlib", reason="needs the extra `experiments`")
    script = "import sys; from experiments.pictures import screenshots; sys.exit(screenshots.main(sys.argv[1:]))"
    subprocess.run([sys.executable, "-c", script, "--output", str(tmp_path)], check=True, cwd=PAGE.parents[2])
    for path in tmp_path.iterdir():
        committed = PAGE.parent / "pictures" / path.name
        assert path.stat().st_size < 60_000 and committed.stat().st_size < 60_000
        assert path.read_bytes()[16:24] == committed.read_bytes()[16:24]  # width and height
    assert {path.name for path in tmp_path.iterdir()} == {"page.png", "decision.png"}
