package extract

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// maxStyles is how far a style is followed to what it is based on.
const maxStyles = 16

// docxStyle is what a paragraph style says of headings and lists.
type docxStyle struct {
	base  string
	level int // of outline, from 1; 0 is not said, -1 is body text
	num   docxNumber
}

// docxNumber is a paragraph's place in a list.
type docxNumber struct {
	id    string // of the numbering, "" for none
	level int    // from 0
}

// readDocxStyles reads the styles part.
func readDocxStyles(a *archive, part string) (map[string]*docxStyle, error) {
	styles := map[string]*docxStyle{}
	err := a.elements(part, func(p *xmlPart, e xml.StartElement) error {
		if e.Name.Local != "style" || attr(e, "type") != "paragraph" {
			return nil
		}
		s := &docxStyle{}
		styles[attr(e, "styleId")] = s
		name := ""
		err := p.children(func(e xml.StartElement) error {
			switch e.Name.Local {
			case "name":
				name = attr(e, "val")
			case "basedOn":
				s.base = attr(e, "val")
			case "outlineLvl":
				s.level = outlineLevel(e)
			case "ilvl":
				s.num.level, _ = strconv.Atoi(attr(e, "val"))
			case "numId":
				s.num.id = attr(e, "val")
			}
			return nil
		})
		if s.level == 0 {
			s.level = styleLevel(name)
		}
		return err
	})
	return styles, err
}

// outlineLevel reads <w:outlineLvl>: 0 to 8 are levels, 9 is body text.
func outlineLevel(e xml.StartElement) int {
	switch n, err := strconv.Atoi(attr(e, "val")); {
	case err != nil || n < 0 || n > 9:
		return 0
	case n == 9:
		return -1
	default:
		return n + 1
	}
}

// styleLevel is the level of heading that a built-in style's name tells; these
// names are not translated.
func styleLevel(name string) int {
	name = strings.ToLower(name)
	if name == "title" {
		return 1
	}
	if rest, ok := strings.CutPrefix(name, "heading "); ok {
		if n, err := strconv.Atoi(rest); err == nil && n >= 1 && n <= 9 {
			return n
		}
	}
	return 0
}

// maxListLevels is how deep lists go in WordprocessingML.
const maxListLevels = 9

// docxLists counts the items of all lists.
type docxLists struct {
	abstract map[string]string                    // numbering → its abstract one
	levels   map[string]*[maxListLevels]docxLevel // of an abstract numbering
	counts   map[string]*[maxListLevels]int       // of an abstract numbering, or of one that starts anew
	anew     map[string]bool                      // numberings that do not go on where another one ended
}

// docxLevel is the look of one level of a list.
type docxLevel struct {
	format, text string // "decimal", "%1.%2."
	start        int
}

// readDocxLists reads the numbering part.
func readDocxLists(a *archive, part string) (*docxLists, error) {
	l := &docxLists{abstract: map[string]string{}, levels: map[string]*[maxListLevels]docxLevel{}, counts: map[string]*[maxListLevels]int{}, anew: map[string]bool{}}
	err := a.elements(part, func(p *xmlPart, e xml.StartElement) error {
		switch e.Name.Local {
		case "abstractNum":
			levels := new([maxListLevels]docxLevel)
			l.levels[attr(e, "abstractNumId")] = levels
			return readDocxLevels(p, levels)
		case "num":
			id := attr(e, "numId")
			return p.children(func(e xml.StartElement) error {
				switch e.Name.Local {
				case "abstractNumId":
					l.abstract[id] = attr(e, "val")
				case "startOverride":
					l.anew[id] = true
				}
				return nil
			})
		}
		return nil
	})
	return l, err
}

func readDocxLevels(p *xmlPart, levels *[maxListLevels]docxLevel) error {
	level := &docxLevel{}
	return p.children(func(e xml.StartElement) error {
		switch val := attr(e, "val"); e.Name.Local {
		case "lvl":
			level = &docxLevel{} // of more levels than there are nothing is kept
			if i, err := strconv.Atoi(attr(e, "ilvl")); err == nil && i >= 0 && i < maxListLevels {
				level = &levels[i]
			}
			level.start = 1
		case "start":
			level.start, _ = strconv.Atoi(val)
		case "numFmt":
			level.format = val
		case "lvlText":
			level.text = cut(val, 64)
		}
		return nil
	})
}

// next counts an item and gives what stands before it: "- ", "1. ", "2.3 ", the
// deeper ones indented. "" is for no list.
func (l *docxLists) next(n docxNumber) string {
	if n.id == "" || n.id == "0" || n.level < 0 || n.level >= maxListLevels {
		return ""
	}
	indent := strings.Repeat("  ", n.level)
	levels := l.levels[l.abstract[n.id]]
	if levels == nil {
		return indent + "- "
	}
	of := "abstract " + l.abstract[n.id]
	if l.anew[n.id] {
		of = n.id
	}
	counts := l.counts[of]
	if counts == nil {
		counts = new([maxListLevels]int)
		l.counts[of] = counts
	}
	level := levels[n.level]
	if counts[n.level] == 0 {
		counts[n.level] = level.start - 1
	}
	counts[n.level]++
	clear(counts[n.level+1:])
	switch level.format {
	case "bullet":
		return indent + "- "
	case "none", "":
		return indent
	}
	text := level.text
	for i := range n.level + 1 {
		count := counts[i]
		if count == 0 {
			count = levels[i].start
		}
		text = strings.ReplaceAll(text, "%"+strconv.Itoa(i+1), numeral(levels[i].format, count))
	}
	if text == "" {
		return indent
	}
	return indent + text + " "
}

// numeral writes a count in a format of numbers.
func numeral(format string, n int) string {
	switch {
	case n < 1 || n > 100_000:
	case strings.HasSuffix(format, "Letter"): // a … z, aa, bb
		s := strings.Repeat(string(rune('a'+(n-1)%26)), min((n-1)/26+1, 8))
		if format == "upperLetter" {
			s = strings.ToUpper(s)
		}
		return s
	case strings.HasSuffix(format, "Roman") && n < 4000:
		s := roman(n)
		if format == "lowerRoman" {
			s = strings.ToLower(s)
		}
		return s
	}
	return strconv.Itoa(n)
}

func roman(n int) string {
	var b strings.Builder
	for _, d := range [...]struct {
		n int
		s string
	}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
		for ; n >= d.n; n -= d.n {
			b.WriteString(d.s)
		}
	}
	return b.String()
}
