"""Three real documents, made when they are needed: a PDF of four pages, a Word
document with a table, and a Markdown file. What they tell of is invented, so
that no model can know it from elsewhere.

    documents.py FOLDER   write them there
"""

import pathlib
import sys
import textwrap
import zipfile
from xml.sax.saxutils import escape

PAGES = [
    ("The lighthouse of Pedra Alta", """
The lighthouse of Pedra Alta stands on a rock in front of the fishing village of the same name. It was lit for the first time on the ninth of
March 1887, after six years of work by forty masons, who carried every stone across the sandbank at low tide. The tower is built of grey
granite and is thirty-one metres high, measured from the rock to the ball above the lantern. One hundred and sixty-four steps lead to the
gallery. The house of the keepers leans against the tower on its northern side, where the wind does least harm.
This handbook is for the keepers and for those who stand in for them. It says how the lamp is driven, how the horn is sounded in fog, and how
the stores are kept. Whoever leaves the service hands it to the next keeper, with the date and both names on its last page."""),
    ("The lamp", """
The lamp stands in a lens of the second order, which was ground in Porto and weighs nine hundred kilograms with its frame. It shows two white
flashes every fifteen seconds, and can be seen for twenty-two nautical miles in clear air. The lens floats in a bath of mercury, so that a
child could turn it with one finger. Nobody touches the bath without gloves, and the windows stay open while the cover is off.
A clockwork turns the lens. It is driven by a weight of one hundred and eighty kilograms, which sinks through the middle of the tower and is
wound up by hand every four hours. A bell rings when the weight has twenty turns left. If the clockwork stops, the keeper turns the lens by
hand, with the stopwatch from the drawer, until the second keeper has mended it."""),
    ("The fog horn", """
The horn is sounded as soon as the church of the village can no longer be seen from the gallery. Its compressor is started ten minutes before,
since the tanks need a pressure of seven bar. One blast of four seconds follows every ninety seconds. The times of the first and the last
blast are written into the log, with the name of whoever heard them.
When the compressor fails, the old hand bell on the gallery takes its place, with three strokes every minute. The harbour office is told at
once by radio on channel 14, and the fishing boats are told by the flag with the black square. The compressor is oiled on the first Monday of
each month with oil of the kind SAE 30, and its belt is changed after every eight hundred hours."""),
    ("Stores and visitors", """
Flour, beans, oil and paraffin come by boat every second Thursday, if the sea allows it. The stores hold enough for five weeks. What is taken
is written on the slate beside the door, and the slate is copied into the book of stores on Sundays. Drinking water is rain from the roof of
the house; the cistern holds fourteen thousand litres, and is limed each spring.
Visitors may come up on Saturdays between two and five in the afternoon, at most eight at a time, and never while the horn is sounded. Children
below ten climb with an adult. Nobody but the keepers enters the room of the clockwork. A visit costs nothing; what visitors give goes to the
widows' fund of the village, and the box is opened on the last day of June by the keeper and the priest together."""),
]

LEASE = [
    ("h", "Lease of boat shed 7"),
    ("p", "Between the fishing cooperative of Pedra Alta, as the owner, and Helena Duarte, boat builder, as the tenant."),
    ("h", "What is leased"),
    ("p", "Boat shed 7 stands at the eastern end of the slipway. It has 140 square metres, a crane for two tonnes, and light on both sides. "
          "The tenant may use the slipway on working days from six in the morning until eight in the evening."),
    ("h", "What it costs"),
    ("p", "The monthly rent of boat shed 7 is 640 reais, due on the fifth day of the month. Electricity is paid by the meter."),
    ("t", [["Item", "Amount", "Due"], ["Deposit", "1,920 reais", "on signing"], ["Use of the crane", "35 reais", "per lift"],
           ["Late payment", "2 percent", "per week"]]),
    ("h", "How it ends"),
    ("p", "Either side may end the lease with three months' notice, in writing. The tenant leaves the shed swept, and takes every boat with her."),
]

PUMP = """# Bilge pump BP-12

The bilge pump BP-12 lifts 95 litres a minute. It is mounted upright, with its strainer at the lowest point of the boat.

## Care

Rinse the pump with fresh water after each trip. Grease the shaft seal every 50 hours, and change the impeller once a year.

## Errors

| Code | Meaning | What to do |
| --- | --- | --- |
| PX-4711 | The pump is running dry | Switch it off and clean the strainer |
| PX-4712 | The motor is too hot | Wait for 20 minutes |
| PX-4720 | The float switch is stuck | Free it, and oil its hinge |

## Spare parts

The impeller has the part number 8841-C, the shaft seal 8842-A, and the float switch 8850.
"""


def pdf(pages) -> bytes:
    """Pages of lines in Helvetica; enough for every reader of PDF."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for title, text in pages:
        lines = textwrap.wrap(" ".join(text.split()), 90)
        draw = ["BT /F1 20 Tf 1 0 0 1 72 750 Tm", f"({pdf_text(title)}) Tj", "/F1 11 Tf 15 TL 1 0 0 1 72 715 Tm"]
        draw += [f"({pdf_text(line)}) Tj T*" for line in lines] + ["ET"]
        stream = "\n".join(draw)
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {len(objects) + 2} 0 R /Resources << /Font << /F1 3 0 R >> >> >>")
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    out, at = "%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        at.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in at)
    out += f"xref\n0 {len(at) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(at) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out.encode("ascii")


def pdf_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def docx(path: pathlib.Path, parts) -> None:
    """A Word document with headings, paragraphs and tables."""

    def paragraph(text: str, style: str = "") -> str:
        style = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
        return f"<w:p>{style}<w:r><w:t>{escape(text)}</w:t></w:r></w:p>"

    def table(rows) -> str:
        cells = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) for row in rows)
        return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in cells) + "</w:tbl>"

    body = "".join(table(what) if kind == "t" else paragraph(what, "Heading1" if kind == "h" else "") for kind, what in parts)
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("[Content_Types].xml", f'<Types xmlns="{PACKAGE}/content-types">'
                   '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
                   f'<Override PartName="/word/document.xml" ContentType="{kind}.document.main+xml"/>'
                   f'<Override PartName="/word/styles.xml" ContentType="{kind}.styles+xml"/></Types>')
        z.writestr("_rels/.rels", f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>')
        z.writestr("word/_rels/document.xml.rels", f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>')
        z.writestr("word/styles.xml", f'<w:styles xmlns:w="{W}"><w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style></w:styles>')
        z.writestr("word/document.xml", f'<w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>')


def write(folder: pathlib.Path) -> list[pathlib.Path]:
    """Write all three and give their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    handbook, lease, pump = folder / "lighthouse.pdf", folder / "lease.docx", folder / "pump.md"
    handbook.write_bytes(pdf(PAGES))
    docx(lease, LEASE)
    pump.write_text(PUMP, encoding="utf-8")
    return [handbook, lease, pump]


if __name__ == "__main__":
    for path in write(pathlib.Path(sys.argv[1])):
        print(path)
