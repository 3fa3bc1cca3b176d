package extract

import (
	"strings"
	"testing"
)

const rtfSample = `{\rtf1\ansi\ansicpg1252\deff0\uc1{\fonttbl{\f0\fswiss Arial;}{\f1\fcharset204 Arial Cyr;}{\f2\fcharset128 MS Mincho;}}
{\colortbl;\red255\green0\blue0;}{\stylesheet{\s0 Normal;}{\s1\b heading 1;}{\*\cs10 Default;}}
{\info{\title Harbour \'e5pen}{\author Nobody}}{\*\generator Tool 1.0;}
{\header\pard Port Authority\par}{\footer\pard Port Authority\par}
\pard\s1\b Mooring\par
\pard Ships moor at \u8220?berth 7\u8221?\'97since \u-10179?\u-8704?.{\footnote\pard Since 1998.\par} {\f1\'cf\'f0\'e8\'e2\'e5\'f2} {\f2\'93\'fa\'96\'7b}\line next\~line {\v hidden}{\deleted gone}\{braces\}\par
{\pict\pngblip 89504e47}{\field{\*\fldinst HYPERLINK "x"}{\fldrslt a link}}{\*\unknown{\b nothing}}\bin5 {{{}} after the bytes\par
{\listtext\'b7\tab}Fender\par{\listtext 2.\tab}Second\par
{\upr{ansi form}{\*\ud{\uc0 \u246 form}}}\par
\trowd\cellx1\cellx2\intbl Berth\cell Depth\cell\row\intbl 7\par b\cell 9 m\cell\row
\pard\outlinelevel1 Lines\par\pard Last}`

func TestRTF(t *testing.T) {
	t.Parallel()
	d := golden(t, "harbour.rtf", []byte(rtfSample))
	for _, not := range []string{"hidden", "gone", "nothing", "89504e47", "HYPERLINK", "ansi form", "Arial", "Nobody"} {
		if strings.Contains(d.Text, not) {
			t.Errorf("%q was read", not)
		}
	}
}

func TestRTFBad(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ content, code string }{
		"deep":  {`{\rtf1 ` + strings.Repeat("{", 300), "limit:depth"},
		"empty": {`{\rtf1}`, "no_text"},
		"only":  {`{\rtf`, "no_text"},
	} {
		_, err := extractBytes(t, name+".rtf", []byte(c.content))
		fails(t, c.code, err)
	}
	d, err := extractBytes(t, "cut.rtf", []byte(rtfSample[:600]))
	if err != nil || len(d.Warnings) != 1 {
		t.Errorf("a document that is cut off gives %v, %v", d, err)
	}
	for _, tail := range []string{`\`, `\u`, `\'`, `\'4`, `\bin99999999999 x`, `\bin-5 x`, `\u99999999999 x`, `}}}}x`, `\*`} {
		if d, err := extractBytes(t, "odd.rtf", []byte(`{\rtf1 text `+tail)); err != nil || !strings.HasPrefix(d.Text, "text") {
			t.Errorf("%s: %v, %v", tail, d, err)
		}
	}
}
