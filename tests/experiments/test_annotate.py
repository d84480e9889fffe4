"""The annotated paper: nothing is missing, all is read from the sources, and the page needs nothing from outside."""

import re
import struct
from html.parser import HTMLParser

import pytest

pytest.importorskip("latex2mathml", reason="needs the extra `experiments`")

from edgediff.errors import ConfigError
from experiments.html import markup
from experiments.page import __main__ as annotate
from experiments.page import paper_text, sources
from experiments.page.deviations import PLAIN

VOID = {"meta", "link", "img", "br", "mspace", "wbr"}
PIXEL = {  # as much of a picture as is read
    ".png": b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480),
    ".svg": b'<svg width="480pt" height="360pt"></svg>',
}

pytestmark = pytest.mark.slow  # they write the whole page


class Reader(HTMLParser):
    """Collects texts, ids, links and mistakes of a page."""

    def __init__(self, page):
        super().__init__()
        self.open, self.ids, self.links, self.loads, self.tags, self.blocks = [], [], [], [], [], []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if tag == "a" else []
        self.loads += [given[name] for name in ("src", "href", "data", "srcset") if name in given and tag != "a"]
        self.blocks += [""] if tag == "pre" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert tag not in VOID and self.open and self.open[-1] == tag, (tag, self.open, self.getpos())
        self.open.pop()

    def handle_data(self, data):
        self.text += data
        if "pre" in self.open:
            self.blocks[-1] += data


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A folder of pictures as small as can be."""
    folder = tmp_path_factory.mktemp("results")
    files = [file for section in paper_text.SECTIONS for file, _, _ in section.pictures]
    for file in files + [file for file, _ in paper_text.RESULT_PICTURES]:
        folder.joinpath(file).parent.mkdir(exist_ok=True)
        folder.joinpath(file).write_bytes(PIXEL[folder.joinpath(file).suffix])
    return folder


@pytest.fixture(scope="module")
def page(results):
    return annotate.page(results)


@pytest.fixture(scope="module")
def read(page):
    return Reader(page)


def squeeze(text):
    return " ".join(text.split())


def test_the_page_is_well_formed_and_every_link_leads_somewhere(read):
    """Links to files are relative to results/; a link to a line leads to the function that it names."""
    assert not read.open and len(set(read.ids)) == len(read.ids)
    assert {link[1:] for link in read.links if link.startswith("#")} <= set(read.ids)
    files = [link.partition("#") for link in read.links if not link.startswith("#")]
    assert len(files) > 100
    for file, _, place in files:
        path = annotate.RESULTS / file
        assert file.startswith("../../") and path.is_file(), file
        if place and path.suffix == ".py":
            assert path.read_text().splitlines()[int(place[1:]) - 1].strip(), (file, place)
        elif place:
            assert place in {anchor(line) for line in path.read_text().splitlines() if line.startswith("#")}, place


def anchor(heading):
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lstrip("# ").lower()).replace(" ", "-")


def test_the_code_of_a_function_links_to_its_definition():
    for row in sources.ROWS:
        for function in sources.functions(row):
            line = sources.ROOT.joinpath(function.file).read_text().splitlines()[function.line - 1]
            assert re.match(rf"\s*(def|class) {function.name.split('.')[-1]}\b", line), function.name
    for excerpt in sources.excerpts():
        lines = sources.ROOT.joinpath(excerpt.file).read_text().splitlines()
        assert lines[excerpt.line - 1].strip() == excerpt.code.splitlines()[0], excerpt


def test_a_page_elsewhere_finds_the_repository(results):
    assert 'href="/far/away/edgediff/learner/diffusion.py#L' in annotate.page(results, "/far/away")


def test_every_equation_and_every_line_is_there(read):
    assert {f"eq{n}" for n in range(1, 28)} | {f"line{n}" for n in range(1, 26)} <= set(read.ids)
    assert sorted(n for section in paper_text.SECTIONS for n in section.equations) == list(range(1, 28))
    assert set(paper_text.EQUATIONS) == set(range(1, 28))


def test_every_equation_is_typeset(page):
    assert not re.search(r"<m(i|o|n|text)\b[^>]*>([^<]*[\\$]|&<)|merror", page)
    for equation in paper_text.EQUATIONS.values():
        assert markup.maths(equation.printed, "block") in page
        assert not equation.corrected or markup.maths(equation.corrected, "block") in page


def test_every_function_of_the_index_is_shown_with_its_source_and_every_test_is_named(read):
    shown = set(read.blocks)
    for row in sources.ROWS:
        assert {function.source for function in sources.functions(row)} <= shown, row.cell
        assert all(test.name in read.text for test in row.tests()), row.cell


def test_a_source_is_read_from_its_file(read):
    module = sources.ROOT.joinpath("edgediff/learner/diffusion.py").read_text()
    assert sources.function("edgediff.learner.diffusion.reverse_mean").source in module
    for folder in ("edgediff", "experiments"):
        with pytest.raises((LookupError, AttributeError), match="nothing"):
            sources.function(f"{folder}.nothing.at_all")


def test_every_deviation_is_shown(read):
    text = squeeze(read.text)
    rows = sources.deviations()
    table = sources.ROOT.joinpath("edgediff/README.md").read_text().partition("## Deviations from the paper")[2]
    assert len(rows) == sum(line.startswith("|") for line in table.partition("\n## ")[0].splitlines()) - 2
    for row in rows:
        for cell in (row.where, row.printed, row.here, row.tests):
            plain = re.sub(r"`|\[|\]\(.*?\)", "", PLAIN.sub("|", cell))  # what stands between the formulas
            assert all(squeeze(part) in text for part in plain.split("|")), row


def test_a_row_of_the_table_of_deviations_finds_its_place():
    rows = sources.deviations("## Deviations from the paper\n| a | b | c | d | e |\n|---|---|---|---|---|\n"
                              "| Eqs. 12, 26 | x | y | misprint | `test_z` |\n"
                              "| Section 4.1, line 17 | x | y | own choice | |\n"
                              "| Algorithm 1, lines 3-4 | x | y | gap filled | |\n\n"
                              "## End\n| no | row | of | it |\n")  # fmt: skip
    assert [(row.equations, row.lines) for row in rows] == [({12, 26}, set()), (set(), {17}), (set(), {3, 4})]
    assert rows[0].tests == "`test_z`" and [row.kind.name for row in rows] == ["misprint", "choice", "gap"]


def test_every_line_of_algorithm_1_has_code_or_a_reason():
    groups = sources.algorithm(25)
    assert [n for numbers, _ in groups for n in numbers] == list(range(1, 26))
    explained = {n for row in sources.deviations() for n in row.lines}
    for numbers, excerpts in groups:
        assert excerpts or set(numbers) <= explained, numbers
        assert all(set(numbers) & excerpt.lines for excerpt in excerpts)
    code = {
        number: "\n".join(excerpt.code for excerpt in excerpts) for numbers, excerpts in groups for number in numbers
    }
    assert "agent.explore(" in code[6] and "td_target(" in code[12] and "agent.update(" in code[11]
    assert "critic_loss(" in code[14] and "polyak(" in code[19] and "keep_best(" in code[23]


def test_table_1_has_the_printed_values():
    named = [sources.field_of(text) for _, _, text in paper_text.TABLE_1]
    assert len({f.name for f in named}) == 14
    assert [f.default for f in named] == [float(value.replace(",", "")) for _, value, _ in paper_text.TABLE_1]
    with pytest.raises(LookupError, match="0 fields"):
        sources.field_of("omega,")


def test_writing_twice_gives_the_same_bytes(page, results):
    assert annotate.page(results) == page


def test_the_page_in_the_repository_is_up_to_date():
    """After a change of a source, a table or a picture: python -m experiments.page."""
    stored = annotate.PAGE.read_text(encoding="utf-8")
    if f"latex2mathml {annotate.version('latex2mathml')}" not in stored:
        pytest.skip("the page was typeset by another version of latex2mathml")
    assert stored == annotate.page(), "python -m experiments.page writes it anew"


def test_code_is_escaped_and_loses_nothing():
    source = 'def f(a: "x<y") -> int:  # a & b\n    """Say <b>."""\n    return a[\n'
    html = markup.code(source)
    assert "<b>" not in html and "<i># a &amp; b</i>" in html and '<i>"""Say &lt;b&gt;."""</i>' in html
    assert Reader(html).blocks == [source]


def test_every_picture_is_inside_the_page_in_its_own_size(page, results, tmp_path):
    """An SVG has its size in points, of which three are four pixels."""
    pictures = re.findall(r'<img src="data:image/(png|svg\+xml);base64,[\w+/=]+" width="(\d+)" height="(\d+)"', page)
    assert len(pictures) == len([path for path in results.rglob("*.*g")])
    assert set(pictures) == {("png", "640", "480"), ("svg+xml", "640", "480")}
    tmp_path.joinpath("a.svg").write_text("<svg width='480'></svg>")
    with pytest.raises(ConfigError, match="without a size"):
        markup.picture(tmp_path / "a.svg", "")


def test_mistakes_are_one_line(results, tmp_path, capsys):
    with pytest.raises(ConfigError, match="network.svg cannot be read"):
        annotate.page(tmp_path)
    for argv in (["--help-me"], ["a.html", "b.html"], [str(tmp_path)], [str(tmp_path / "none/a.html")]):
        assert annotate.run_program("annotate", annotate.main, argv) == 2
        assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(ConfigError, match="python -m experiments.look RUN"):
        annotate.main([str(tmp_path)])


def test_a_foreign_file_stays_and_a_page_of_ours_is_written_whole(tmp_path, capsys, monkeypatch):
    foreign = tmp_path / "foreign.html"
    foreign.write_text("mine")
    assert annotate.run_program("annotate", annotate.main, [str(foreign)]) == 2 and foreign.read_text() == "mine"
    assert (
        capsys.readouterr().err
        == f"annotate: page: {foreign} was not written by this program, and is left as it is; give another name\n"
    )
    own = tmp_path / "own.html"
    own.write_text(f"<!DOCTYPE html>{annotate.MARK}")
    monkeypatch.setattr(annotate, "page", lambda **_: annotate.MARK + "new")
    assert annotate.run_program("annotate", annotate.main, [str(own)]) == 0 and own.read_text() == annotate.MARK + "new"
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    monkeypatch.setattr(annotate, "page", lambda **_: annotate.MARK + "newer")
    assert annotate.run_program("annotate", annotate.main, [str(own)]) == 2 and own.read_text() == annotate.MARK + "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foreign.html", "own.html"]
