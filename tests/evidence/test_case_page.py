"""The page and the PDF of a case file: what they hold, what they must not hold, and that they are the same each time."""

import re

import pytest
from made_case import CAVEAT, KINDS, made_case, visible_text

from dfworkbench.core.errors import MissingDependencyError, OutputError
from dfworkbench.evidence.page import pdf
from dfworkbench.evidence.page.first import first_page
from dfworkbench.evidence.page.parts import day, facts, lr_text, nested, paragraph
from dfworkbench.evidence.page.report import page_body, write_case_page
from dfworkbench.evidence.page.style import css_text
from dfworkbench.evidence.rules.forbidden_words import forbidden_words


@pytest.fixture(scope="module")
def cases():
    return {
        "one": made_case(),
        "refused": made_case(refused=True),
        "many": made_case(scores=(2.2, -6.0, 40.0)),
        "file": made_case(scores=(1.0, -1.0)),
    }


@pytest.fixture(scope="module")
def pages(cases):
    return {name: page_body(case) for name, case in cases.items()}


@pytest.mark.parametrize("name", ["one", "refused", "many", "file"])
def test_no_word_that_turns_an_lr_into_a_chance_that_a_face_is_fake(pages, name):
    assert forbidden_words(visible_text(pages[name]), quoted=[CAVEAT]) == []


def test_the_test_of_words_sees_what_it_looks_for(pages):
    assert forbidden_words(visible_text(pages["one"] + "<p>This proves it.</p>"), quoted=[CAVEAT]) == ["proves"]
    assert "<q>The probability that the face is manipulated" in pages["one"]  # the example that is warned of is quoted


def test_the_first_page_says_what_was_asked_found_and_not_found(cases):
    text = visible_text(first_page(cases["many"]))
    for words in ("H1 | The face of person k in interview.mp4", "H2 | It was not manipulated", "5f70bf18a086", *KINDS):
        assert words in text
    assert "33 times more probable if H1 is true than if H2 is true" in text
    assert "25 times more probable if H2 is true than if H1 is true" in text
    assert "No statement can be made about person 3" in text
    assert "does not say how probable H1 or H2 is" in text
    assert "examination head" in text.lower()
    assert all(limit in text for limit in cases["many"].limits[:3])
    assert cases["many"].limits[3] not in text


def test_without_a_statement_there_is_no_lr_anywhere(cases, pages):
    text = visible_text(first_page(cases["refused"]))
    assert "No statement can be made about person 1" in text
    assert "speaks neither for H1 nor for H2" in text
    assert "times more probable if" not in text
    assert "Nobody has one: no statement possible" in visible_text(pages["refused"])


def test_a_question_of_ones_own(cases):
    assert "Was a face in interview.mp4 manipulated?" in first_page(cases["one"])
    assert "Is it &lt;b&gt;her&lt;/b&gt;?" in first_page(made_case(question="Is it <b>her</b>?"))


def test_text_of_strangers_is_escaped(pages):
    assert "<script" not in pages["one"]
    assert "&lt;script&gt;alert(1)" in pages["one"]


def test_every_section_is_there_and_in_the_contents(pages):
    numbers = re.findall(r'<h2 id="(\w+)">(\d+) ', pages["one"])
    assert [int(number) for _, number in numbers] == list(range(2, 14))
    assert all(f'href="#{key}"' in pages["one"] for key, _ in numbers)


def test_for_a_screen_reader(pages):
    page = pages["one"]
    assert len(re.findall("<h1", page)) == 1
    assert not re.findall(r"<th(?! scope)", page.replace("<thead", ""))
    alts = re.findall(r'<img[^>]*alt="([^"]*)"', page)
    assert len(alts) == len(re.findall("<img", page))
    assert any(
        "7.3%" in alt or re.search(r"Tippett plot: \d", alt) for alt in alts
    )  # the finding, not only the kind of chart


def test_the_lr_of_a_file_has_propositions_of_its_own(pages):
    text = visible_text(pages["file"])
    assert "Exactly one of the 2 faces in interview.mp4 was manipulated" in text
    assert "mean of the LRs" in text
    assert "Exactly one of the" not in visible_text(pages["many"])  # one person has no statement


def test_the_page_is_self_contained_and_equal_each_time(cases, tmp_path):
    first, second = (write_case_page(cases["one"], tmp_path / f"{n}.html").read_bytes() for n in (1, 2))
    assert first == second
    text = first.decode()
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)
    assert "url(" not in text
    assert 'content: "Case 2026\\2d 017"' in text


def test_a_name_cannot_end_a_string_of_the_style():
    assert css_text('a"} * {') == '"a\\22 \\7d  \\2a  \\7b "'


def test_numbers_and_names_as_text():
    assert [lr_text(llr) for llr in (0.0, 1.5, -1.2)] == ["1.0", "31", "0.064 (1/15)"]
    assert day("2026-11-29T02:48:00+00:00") == "29 November 2026, 02:48 UTC"
    assert day("soon") == "soon"
    assert "<strong>13 times</strong> &lt;b&gt;" in paragraph("**13 times** <b>")
    assert facts({"a": None, "b": ""}) == ""
    assert "streams 0: codec" in nested({"streams": [{"codec": "h264"}], "empty": {}})
    assert "… (3,000 characters)" in nested({"comment": "x" * 3000})


def test_the_pdf_is_equal_each_time_and_fetches_nothing(cases, tmp_path, monkeypatch):
    pytest.importorskip("weasyprint", exc_type=(ImportError, OSError))
    import socket

    def refuse(*args: object) -> None:
        raise AssertionError("a request left the machine")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795918080")
    page = tmp_path / "report.html"
    # a short page: the whole one takes a minute
    page.write_text(f'<title>t</title>{first_page(cases["one"])}<img src="https://example.org/a.png" alt="a">')
    first = pdf.write_pdf(page, tmp_path / "a.pdf").read_bytes()
    assert first.startswith(b"%PDF")
    assert pdf.write_pdf(page, tmp_path / "a.pdf").read_bytes() == first
    (tmp_path / "b.pdf").write_bytes(b"%PDF of somebody else")
    with pytest.raises(OutputError, match=r"b\.pdf"):
        pdf.write_pdf(page, tmp_path / "b.pdf")
    assert pdf.why_no_pdf() == ""


def test_without_pango_it_is_said_what_to_install(monkeypatch):
    import builtins

    true_import = builtins.__import__

    def broken(name: str, *args: object, **kwargs: object) -> object:
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")
        return true_import(name, *args, **kwargs)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(builtins, "__import__", broken)
    assert all(word in pdf.why_no_pdf() for word in ("libpango", "apt-get install", "dfworkbench[evidence]"))
    with pytest.raises(MissingDependencyError):
        pdf._weasyprint()
