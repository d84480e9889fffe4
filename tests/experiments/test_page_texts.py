"""What is written by hand for the annotated page: complete, in step with the table of deviations, and right."""

import math
import re

import pytest
import torch

pytest.importorskip("latex2mathml", reason="needs the extra `experiments`")

from html import unescape

from edgediff.learner.diffusion import variance_schedule
from edgediff.learner.losses import actor_objective, clean_latent
from experiments.html import font, markup
from experiments.page import sources
from experiments.page.deviations import KINDS, LATEX, PLAIN, typeset
from experiments.page.paper_text import ALGORITHM, EQUATIONS, TABLE_1
from experiments.page.prose import FORMULA, Equation, sections
from experiments.page.writer import DERIVATIONS, deviation


def all_latex():
    """Return every formula that is written for the page."""
    texts = [text for each in DERIVATIONS for text in (each.title, *each.parts)]
    texts += [text for part in sections("discussion.md").values() for text in part] + [*ALGORITHM]
    texts += [equation.words for equation in EQUATIONS.values()]
    inline = [latex for text in texts for latex in re.findall(r"\\\((.*?)\\\)", text)]
    shown = [text.removeprefix(FORMULA) for text in texts if text.startswith(FORMULA)]
    equations = [latex for each in EQUATIONS.values() for latex in (each.printed, each.corrected)]
    return [latex for latex in inline + shown + equations + list(LATEX.values()) + [row[0] for row in TABLE_1] if latex]


def test_every_kind_names_deviations_and_another_word_is_no_kind():
    assert {row.kind for row in sources.deviations()} == set(KINDS)
    row = "| Eq. 99 | something new | x | mistake | |"
    with pytest.raises(LookupError, match="Eq. 99: the kind 'mistake' is not one of misprint, "):
        sources.deviations(f"## Deviations from the paper\n|\n|\n{row}\n")


def test_a_kind_is_told_by_its_word_and_by_its_colour():
    row = next(row for row in sources.deviations() if row.printed == "sqrt(1 - alpha_i)")
    assert '<div class="deviation misprint">' in deviation(row) and ">misprint</span>" in deviation(row)


def test_no_formula_of_the_deviations_is_left_in_plain_text():
    """A new one needs a line in LATEX, and a line there that no row needs has to go."""
    cells = [cell for row in sources.deviations() for cell in (row.printed, row.here)]
    for cell in cells:
        left = re.sub(r"\\\(.*?\\\)|`[^`]*`|\]\([^)]*\)", "", typeset(cell))
        assert not re.search(r"\w_\w|sqrt|alpha|beta|gamma|lambda|\bphi|<-|>=", left), left
    assert {found for cell in cells for found in PLAIN.findall(cell)} == set(LATEX)


def test_what_a_corrected_equation_changes_is_coloured():
    for number, equation in EQUATIONS.items():
        if equation.corrected and equation.says == Equation._field_defaults["says"]:
            assert 'class="new"' in markup.maths(equation.corrected), number
        assert r"\class" not in equation.printed


def test_bars_are_as_large_as_over_a_text_and_sim_is_no_accent():
    """Without accent="true" a browser sets the bar over alpha, the point of Eq. 21, in the size of an index."""
    assert '<mover accent="true"><mi>&#x003B1;</mi><mo>&#x000AF;</mo></mover>' in markup.maths(r"\bar\alpha_i")
    assert "<mo>&#x002DC;</mo></mover><mi>t</mi></msub>" in markup.maths(r"\tilde{a}_t")
    assert "<mo>&#x0223C;</mo>" in markup.maths(r"\epsilon \sim \mathcal{N}")
    assert all("<mover>" not in markup.maths(latex) for latex in all_latex())


def test_the_font_of_the_page_has_every_character_of_its_formulas():
    html = "".join(markup.maths(latex) for latex in all_latex())
    written = set(unescape("".join(re.findall(r"<m(?:i|o|n|text)\b[^>]*>([^<]*)<", html))))
    assert len(written) > 80 and not [character for character in written if not font.has(character)]
    assert font.FONT.stat().st_size < 100_000 and font.FONT.read_bytes()[:4] == b"wOF2"


def test_making_the_font_says_in_one_line_what_is_missing(capsys, tmp_path):
    assert font.run_program("font", font.main, [str(tmp_path / "no.otf")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_links_bold_and_code_in_a_text():
    assert markup.words("a **b** `c_d` [e](f/g.md#h) [i](#j) < \\(k\\)").startswith(
        'a <b>b</b> <code>c_<wbr>d</code> <a href="repository:f/g.md#h">e</a> <a href="#j">i</a> &lt; <math'
    )
    assert 'href="repository:experiments/a.md"' in markup.words("[x](../experiments/a.md)")  # as in edgediff/README.md


def test_derivations_stand_after_an_equation_or_a_line():
    assert len({each.anchor for each in DERIVATIONS}) == len(DERIVATIONS) == 7
    assert {each.after for each in DERIVATIONS} == {"eq5", "eq15", "eq18", "eq21", "eq22", "eq25", "line16"}


def test_the_numbers_in_the_derivations_are_right():
    s = variance_schedule(10)
    ratio = ((1 - s.alpha_bar) / (1 - s.alpha)).sqrt()
    text = " ".join(part for each in DERIVATIONS for part in each.parts)
    assert f"{ratio[1:].min():.2f} to {ratio.max():.2f}" in text
    assert f"e^{{-5.05}} = {s.alpha_bar[-1]:.4f}" in text and f"= {s.alpha_bar[-1] ** -0.5:.1f}\\)" in text
    latent = clean_latent(torch.eye(24, dtype=torch.float64)[:1])[0]
    assert f"c = {latent.max() - latent.min():.2f} " in text and math.exp(-5.05) == pytest.approx(
        float(s.alpha_bar[-1])
    )


def test_the_derived_gradient_of_j_is_that_of_the_code(generator):
    """dJ / da_0^(k) = pi(k) (Q(k) - alpha ln pi(k) - sum_a pi(a) (Q(a) - alpha ln pi(a)))."""
    logits, q = torch.randn(2, 1, 5, generator=generator, dtype=torch.float64)
    logits.requires_grad_()
    log_pi = torch.log_softmax(logits, dim=1)
    actor_objective(log_pi, q, 0.05).backward()
    inner, pi = (q - 0.05 * log_pi).detach(), log_pi.detach().exp()
    assert torch.allclose(logits.grad, pi * (inner - (pi * inner).sum()))
