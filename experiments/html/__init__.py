"""What both pages share: the mathematics font, and formulas, texts, code and pictures as HTML."""
