"""The mathematics font of the pages: `python -m experiments.html.font latinmodern-math.otf` makes it anew.

What is made is `latin_modern_math_subset.woff2` beside this file, a subset of Latin Modern Math; `FONT.md` has its
licence and says where the whole font is from. Only making it needs fontTools and brotli: pip install fonttools brotli.
"""

import base64
import sys
from pathlib import Path

from edgediff.errors import ConfigError
from edgediff.run.commandline import Parser
from edgediff.run.process import run_program

FONT = Path(__file__).with_name("latin_modern_math_subset.woff2")
SIDEWAYS = Path(__file__).with_name("sideways.css")  # how both pages show that something goes on to the side
FAMILY = "Page Math"
CHARACTERS = (
    "".join(map(chr, range(0x20, 0x7F)))
    + "\xa0¬±·×÷ˆˇ˘˙˜¯\u0302\u0303\u0304\u0305‐–—―‖…′″‴⁄"
    + "".join(map(chr, (*range(0x391, 0x3A2), *range(0x3A3, 0x3AA), *range(0x3B1, 0x3CA), 0x3D1, 0x3D5, 0x3F5)))
    + "←→↦⇐⇒∀∂∈∉∏∑−∗√∝∞∣∥∩∪∫∼≈≠≡≤≥≪≫⋅⋯⌈⌉⌊⌋⏞⏟⟨⟩∇∅∘"
    + "ℎℬℰℱℒℳ"  # the italic h, and script capitals outside their block
    + "".join(chr(c) for c in range(0x1D434, 0x1D468) if c != 0x1D455)  # italic Latin; the h is above
    + "".join(map(chr, range(0x1D6E2, 0x1D71C)))  # italic Greek
    + "𝒜𝒟𝒢𝒩𝒫𝒯𝒲𝔼ℝ"
)


def has(character: str) -> bool:
    """Return whether the font holds a character, and its italic form where a lone letter is written in italics."""
    return character in CHARACTERS


def rule() -> str:
    """Return the CSS rule that loads the font from the page itself."""
    data = base64.b64encode(FONT.read_bytes()).decode()
    return f'@font-face {{ font-family: "{FAMILY}"; src: url(data:font/woff2;base64,{data}) format("woff2"); }}'


def make(source: Path, target: Path) -> None:
    """Write the subset of a font; the same source gives the same bytes with the same fontTools and brotli."""
    from fontTools import subset

    options = subset.Options(
        flavor="woff2",
        layout_features=["ssty", "flac", "dtls"],  # letters for small sizes, flat accents, letters without dots
        hinting=False,
        desubroutinize=True,
        name_IDs=["*"],
        notdef_outline=True,
        recalc_timestamp=False,
    )
    font = subset.load_font(source, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=CHARACTERS)
    subsetter.subset(font)
    for record in font["name"].names:
        if record.nameID in (1, 4, 16):  # a changed font has another name
            record.string = f"{FAMILY} (a subset of Latin Modern Math)"
        elif record.nameID == 6:
            record.string = "PageMath-Regular"
    subset.save_font(font, target, options)


def main(argv: list[str]) -> int:
    """Make the subset of Latin Modern Math that the page carries."""
    parser = Parser("python -m experiments.html.font FILE", main.__doc__)
    parser.add_argument("file", metavar="FILE", help="latinmodern-math.otf")
    file = Path(parser.parse(argv).file)
    try:
        make(file, FONT)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is not installed: pip install fonttools brotli") from None
    except OSError as error:
        raise ConfigError(f"file: {file} cannot be read ({error.strerror})") from None
    print(f"{FONT} ({FONT.stat().st_size / 1e3:.0f} kB)")
    return 0


if __name__ == "__main__":
    sys.exit(run_program("experiments.html.font", main))
