"""The frame of plots: names cannot inject, and right to left is a mirror."""

from hypothesis import given
from hypothesis import strategies as st

from node.plots.plot import ALONE_STYLE, STYLE, Plot, escaped, framed, mirrored, path, percent, text
from node.plots.time_axis import TimeMark
from node.plots.value_axis import ValueAxis
from tests.fakes.svg_pictures import SVG, read_svg

BAD = "</title><script>alert(\"1\")</script><a href='x'>&amp;\x00\x1b\ud800"


def test_a_name_is_never_markup() -> None:
    plot = Plot(text(0.5, 10, BAD, is_rtl=False), 50, BAD, BAD)
    root = read_svg(plot.alone(BAD, 'en" onload="x'))
    assert not [each for each in root.iter() if each.tag in {f"{SVG}script", f"{SVG}a"}]
    assert "onload" not in root.attrib
    shown = BAD.translate({0: None, 0x1B: None, 0xD800: None})
    assert shown == root.findtext(f"{SVG}title") == root.findtext(f"{SVG}desc")


@given(st.text())
def test_any_text_is_well_formed_in_an_element_and_in_an_attribute(said) -> None:
    root = read_svg(f'<svg a="{escaped(said)}">{escaped(said)}</svg>')
    printable = "".join(each for each in said if each.isprintable())
    assert printable.split() == "".join(each for each in root.text or "" if each.isprintable()).split()
    assert (root.text or "").split() == root.attrib["a"].split()


def test_a_picture_says_what_it_shows_and_in_which_language() -> None:
    plot = Plot("", 100, "Use", "Most at 21:00.", is_rtl=True)
    root = read_svg(plot.alone("November", "ar"))
    assert ("img", "plot-title", "plot-text", "rtl") == (
        root.get("role"), root.get("aria-labelledby"), root.get("aria-describedby"), root.get("direction")
    )  # fmt: skip
    assert root.get("{http://www.w3.org/XML/1998/namespace}lang") == "ar"
    assert ALONE_STYLE == root.findtext(f"{SVG}style")
    assert ['id="k-title"', 'id="k-text"'] == [
        each for each in plot.part("k").replace(">", " ").split() if "id=" in each
    ]


def test_right_to_left_is_the_mirror() -> None:
    assert ("25%", "75%", "0%", "100%") == (
        percent(0.25, is_rtl=False), percent(0.25, is_rtl=True), percent(-3, is_rtl=False), percent(-3, is_rtl=True)
    )  # fmt: skip
    assert ("x", '<g transform="matrix(-1 0 0 1 40 0)">x</g>') == (
        mirrored("x", 40, is_rtl=False),
        mirrored("x", 40, is_rtl=True),
    )


def test_a_frame_has_a_line_for_each_number_and_a_mark_for_each_time() -> None:
    axis, marks = (
        ValueAxis((0, 5, 10)),
        (TimeMark(0.5, "12:00", is_wide=False), TimeMark(0.75, "18:00", is_wide=True)),
    )
    root = read_svg(f"<svg>{framed('', 10, axis, ('0', '5', '10 %'), marks, is_rtl=False)}</svg>")
    assert ["0", "5", "10 %", "12:00", "18:00"] == [each.text for each in root.iter("text")]
    assert [None, None, None, None, "w"] == [each.get("class") for each in root.iter("text")]
    assert ["zero", "grid", "grid", "zero", "zero w"] == [each.get("class") for each in root.iter("line")]


def test_a_path_of_nothing_is_nothing() -> None:
    assert ("", '<path class="bar" d="M0 0h1"/>') == (path("bar", ()), path("bar", ["M0 0", "h1"]))


def test_styles_have_nothing_that_a_page_would_escape() -> None:
    assert not set("<>&\"'") & set(STYLE + ALONE_STYLE)


def test_a_long_title_is_cut_to_the_picture() -> None:
    root = read_svg(Plot("", 10, "x" * 500, "").alone("y" * 500, "en", 320))
    assert all(
        len(each.text or "") <= 40 and (each.text or "").endswith("…") for each in root.iter(f"{SVG}text")
    )
