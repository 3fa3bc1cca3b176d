package extract

import (
	"archive/zip"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/net/html/charset"
)

// WithDefaults gives the limits with each zero field at its default.
func (l Limits) WithDefaults() Limits {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def64 := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	def64(&l.Text, 64<<20)
	def(&l.Pages, 5_000)
	def(&l.Sheets, 256)
	def(&l.Slides, 2_000)
	def(&l.Cells, 2_000_000)
	def(&l.Members, 10_000)
	def64(&l.Expand, 512<<20)
	def64(&l.Ratio, 100)
	def(&l.Nesting, 2)
	def(&l.Depth, 256)
	def64((*int64)(&l.Wall), int64(120*time.Second))
	def64((*int64)(&l.CPU), int64(60*time.Second))
	def64(&l.Memory, 1<<30)
	return l
}

// overLimit is the error of a file that is more than a limit allows: which is
// the limit's word, detail a sentence for the file's owner.
func overLimit(which, format string, args ...any) *Error {
	return &Error{Code: "limit:" + which, Detail: fmt.Sprintf(format, args...)}
}

// broken is the error of a file that is not what its format demands. An error
// that is an *Error already stays what it is, so that a limit met below a
// library's reader is told as that limit.
func broken(kind string, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: "broken", Detail: "This " + kind + " is damaged or cut off and cannot be read. Save it again and upload it again.", Err: err}
}

// freeRatio is how much may come out of an archive before its ratio counts.
const freeRatio = 1 << 20

// part is what all parts of one uploaded file share: members of archives,
// attachments of mails.
type part struct {
	parser   *Parser
	packed   int64 // bytes of the uploaded file
	unpacked int64 // bytes that came out of it so far
}

// unpack gives r, whose bytes come out of an archive within in, under the
// limits of expansion: all that comes out of the uploaded file counts together,
// whatever the archive claims of itself.
func (in *Input) unpack(r io.Reader, lim *Limits) io.Reader {
	return &unpacker{r: r, p: in.whole(), lim: lim}
}

// whole gives what in shares with the file that it is part of.
func (in *Input) whole() *part {
	if in.part == nil {
		in.part = &part{packed: in.Size}
	}
	return in.part
}

type unpacker struct {
	r   io.Reader
	p   *part
	lim *Limits
}

func (u *unpacker) Read(b []byte) (int, error) {
	n, err := u.r.Read(b)
	u.p.unpacked += int64(n)
	if u.p.unpacked > u.lim.Expand {
		return 0, overLimit("expand", "This file unpacks to more than %d MiB, which is the limit.", u.lim.Expand>>20)
	}
	if u.p.unpacked > freeRatio && u.p.unpacked/u.lim.Ratio > u.p.packed {
		return 0, overLimit("ratio", "This file unpacks to more than %d times its size, as only bombs do.", u.lim.Ratio)
	}
	return n, err
}

// openZip reads the directory of a ZIP file, after a look at how long it
// claims to be. Read its members through in.unpack.
func openZip(in *Input, lim *Limits) (*zip.Reader, error) {
	if n := zipMembers(in.Content, in.Size); n > lim.Members {
		return nil, overLimit("members", "This archive has %d members; at most %d are read.", n, lim.Members)
	}
	z, err := zip.NewReader(in.Content, in.Size)
	if err != nil {
		return nil, broken("archive", err)
	}
	if len(z.File) > lim.Members {
		return nil, overLimit("members", "This archive has %d members; at most %d are read.", len(z.File), lim.Members)
	}
	return z, nil
}

// zipMembers gives how many members the directory of a ZIP can have at most,
// by its size in bytes, so that nothing is allocated for those that are only
// claimed. 0 is no directory found.
func zipMembers(r io.ReaderAt, size int64) int {
	const end, longest, entry = 22, 65535, 46
	tail := make([]byte, min(size, end+longest))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return 0
	}
	at := strings.LastIndex(string(tail), "PK\x05\x06")
	if at < 0 || len(tail)-at < end {
		return 0
	}
	n := int64(binary.LittleEndian.Uint16(tail[at+10:]))
	bytes := int64(binary.LittleEndian.Uint32(tail[at+12:]))
	if n == 0xffff { // ZIP64 says elsewhere how many: judge by their bytes
		n = min(bytes, size) / entry
	}
	return int(n)
}

// xmlDecoder reads XML without definitions: entities of the document's own are
// refused, others than HTML's are errors, and it is no deeper than a limit.
type xmlDecoder struct {
	*xml.Decoder
	depth, most int
}

// newXML reads r in the encoding that it declares.
func newXML(r io.Reader, lim *Limits) *xmlDecoder {
	d := xml.NewDecoder(r)
	d.CharsetReader = charset.NewReaderLabel
	d.Entity = xml.HTMLEntity
	return &xmlDecoder{Decoder: d, most: lim.Depth}
}

// Token gives the next token, as xml.Decoder.Token does.
func (d *xmlDecoder) Token() (xml.Token, error) {
	for {
		t, err := d.Decoder.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if d.depth++; d.depth > d.most {
				return nil, overLimit("depth", "This file nests elements more than %d deep.", d.most)
			}
		case xml.EndElement:
			d.depth--
		case xml.Directive:
			if strings.Contains(string(t), "<!ENTITY") {
				return nil, &Error{Code: "unsupported", Detail: "This file defines XML entities of its own, which are not read. Save it without them."}
			}
			continue
		case xml.ProcInst, xml.Comment:
			continue
		}
		return t, nil
	}
}

// Skip passes over the rest of the element that was begun last.
func (d *xmlDecoder) Skip() error {
	for inside := 1; inside > 0; {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t.(type) {
		case xml.StartElement:
			inside++
		case xml.EndElement:
			inside--
		}
	}
	return nil
}
