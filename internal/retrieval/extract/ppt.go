package extract

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"

	"portico/internal/retrieval/document"
)

// The records of PowerPoint 97 to 2003 that are read ([MS-PPT] 2.13.24).
const (
	pptSlide      = 0x03EE
	pptNotes      = 0x03F0
	pptPersist    = 0x03F3
	pptHeader     = 0x0F9F // what the text after it is: 0 and 6 are titles
	pptWide       = 0x0FA0 // text in UTF-16
	pptNarrow     = 0x0FA8 // text in Latin-1
	pptList       = 0x0FF0 // the texts of all slides, by their placeholders
	pptMainMaster = 0x03F8
)

// ppt reads a presentation of PowerPoint 97 to 2003. Texts of placeholders are
// in one list, slide by slide; those of other shapes are in the slides.
type ppt struct {
	ctx    context.Context
	lim    *Limits
	slides []*pptSlideText
	drawn  []*pptSlideText // the other texts, by the slides' order in the file
	title  bool            // the next text is one
	into   func(text string)
	size   int64
}

// pptSlideText is the text of one slide.
type pptSlideText struct {
	title string
	texts []string
}

// add takes a text; the first that is said to be a title is the slide's.
func (s *pptSlideText) add(text string, title bool) {
	if title && s.title == "" {
		s.title = oneLine(text)
		return
	}
	s.texts = append(s.texts, text)
}

// slideAt gives the slide of that number, an empty one where there is none.
func slideAt(slides []*pptSlideText, i int) *pptSlideText {
	if i < len(slides) {
		return slides[i]
	}
	return &pptSlideText{}
}

func readPPT(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	c, err := openCompound(in, lim)
	if err != nil {
		return nil, err
	}
	stream, err := c.stream("PowerPoint Document", maxInner)
	if errors.Is(err, errNoStream) {
		return nil, &Error{Code: "unsupported", Detail: "Presentations of PowerPoint before 97 cannot be read. Save it as .pptx and upload it again."}
	}
	if err != nil {
		return nil, err
	}
	x := &ppt{ctx: ctx, lim: lim}
	if err := x.records(stream, 0); err != nil {
		return nil, err
	}
	b := newBuilder(lim)
	for i := range max(len(x.slides), len(x.drawn)) {
		label := strconv.Itoa(i + 1)
		b.page("slide " + label)
		s, drawn := slideAt(x.slides, i), slideAt(x.drawn, i)
		title := cmp.Or(s.title, drawn.title, "Slide "+label)
		b.heading(1, title)
		for _, text := range s.texts {
			b.paragraph(text)
		}
		// Slides that were moved lie elsewhere in the file, so that the texts of
		// other shapes may be told with a neighbour; none is lost.
		if drawn.title != "" && drawn.title != title {
			b.paragraph(drawn.title)
		}
		b.paragraph(strings.Join(drawn.texts, "\n"))
	}
	return b.done()
}

// records reads a run of records; containers hold more of them.
func (x *ppt) records(b []byte, depth int) error {
	const header, container = 8, 0x0F
	if depth > x.lim.Depth {
		return overLimit("depth", "This file nests records more than %d deep.", x.lim.Depth)
	}
	if err := x.ctx.Err(); err != nil {
		return err
	}
	for len(b) >= header {
		flags, kind := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])
		size := uint64(binary.LittleEndian.Uint32(b[4:]))
		b = b[header:]
		body := b[:min(size, uint64(len(b)))]
		b = b[len(body):]
		var err error
		if flags&container == container {
			err = x.container(kind, flags>>4, body, depth)
		} else {
			err = x.atom(kind, body)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// container reads a record of records.
func (x *ppt) container(kind, instance uint16, body []byte, depth int) error {
	outer := x.into
	defer func() { x.into = outer }()
	switch {
	case kind == pptNotes, kind == pptMainMaster, kind == pptList && instance != 0:
		return nil
	case kind == pptList:
		x.into = func(text string) {
			if len(x.slides) > 0 {
				x.slides[len(x.slides)-1].add(text, x.title)
			}
		}
	case kind == pptSlide:
		if len(x.drawn) >= x.lim.Slides {
			return overLimit("slides", "This presentation has more than %d slides, which is the limit.", x.lim.Slides)
		}
		s := &pptSlideText{}
		x.drawn = append(x.drawn, s)
		x.into = func(text string) { s.add(text, x.title) }
	}
	return x.records(body, depth+1)
}

// atom reads a record without others.
func (x *ppt) atom(kind uint16, body []byte) error {
	var text string
	switch kind {
	case pptPersist:
		if len(x.slides) >= x.lim.Slides {
			return overLimit("slides", "This presentation has more than %d slides, which is the limit.", x.lim.Slides)
		}
		if x.into != nil {
			x.slides = append(x.slides, &pptSlideText{})
		}
		return nil
	case pptHeader:
		x.title = len(body) >= 4 && (body[0] == 0 || body[0] == 6)
		return nil
	case pptWide:
		units := make([]uint16, len(body)/2)
		for i := range units {
			units[i] = binary.LittleEndian.Uint16(body[2*i:])
		}
		text = string(utf16.Decode(units))
	case pptNarrow:
		s, err := charmap.ISO8859_1.NewDecoder().Bytes(body)
		if err != nil {
			return broken("PowerPoint presentation", err)
		}
		text = string(s)
	default:
		return nil
	}
	text = strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(text, "\v", " "), "\r", "\n"))
	if x.size += int64(len(text)); x.size > x.lim.Text {
		return overLimit("text", "This presentation holds more than %d MiB of text, which is the limit.", x.lim.Text>>20)
	}
	if x.into != nil && text != "" && text != "*" { // a star stands for a number or a date
		x.into(text)
	}
	return nil
}
