"""Makes the documents that lie beside this script: `make.py` in an environment with reportlab, fpdf2 and pypdf[crypto].

chromium.pdf is `chromium --headless --no-pdf-header-footer --print-to-pdf=chromium.pdf chromium.html`.
"""

from pathlib import Path

from fpdf import FPDF
from pypdf import PdfReader, PdfWriter
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen import canvas
from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph

HERE = Path(__file__).parent
DEJAVU = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"


def place(name):
    return str(HERE / name)


# Two pages without an embedded font.
pages = canvas.Canvas(place("pages.pdf"), invariant=1)
pages.drawString(50, 700, "The contract ends on 31 May.")
pages.showPage()
pages.drawString(50, 700, "Signed in Vienna.")
pages.save()

# Two columns, painted one after the other.
columns = BaseDocTemplate(place("columns.pdf"), pagesize=A4, invariant=1)
frames = [Frame(40, 640, 250, 160), Frame(300, 640, 250, 160)]
columns.addPageTemplates([PageTemplate(frames=frames)])
style = getSampleStyleSheet()["BodyText"]
said = "is a paragraph of some words that is long enough to take two lines in its narrow column."
columns.build([Paragraph(f"Number {count} {said}", style) for count in range(1, 7)])

# Japanese by a predefined encoding, without a font.
pdfmetrics.registerFont(UnicodeCIDFont("HeiseiMin-W3"))
japanese = canvas.Canvas(place("japanese.pdf"), invariant=1)
japanese.setFont("HeiseiMin-W3", 12)
japanese.drawString(50, 700, "東京タワーの契約書")
japanese.save()

# A subset of a font with a table of what its glyphs mean, ligatures among them.
letters = FPDF()
letters.add_font("letters", fname=DEJAVU)
letters.add_page()
letters.set_font("letters", size=12)
letters.multi_cell(0, text="E\ufb03cient \ufb01nal o\ufb00er\nΕλληνικά, Кириллица: 12,50 €")
letters.output(place("letters.pdf"))

# A scan: an image and nothing else.
scan = canvas.Canvas(place("scan.pdf"), invariant=1)
scan.rect(50, 600, 200, 100, fill=1)
scan.save()

for name, passwords in [("password.pdf", ("secret", "owner")), ("printable.pdf", ("", "owner"))]:
    locked = PdfWriter(clone_from=PdfReader(place("pages.pdf")))
    locked.encrypt(*passwords, algorithm="AES-256")
    locked.write(place(name))
