package extract

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/charmap"

	"portico/internal/retrieval/document"
)

const (
	// maxMailHeader is how long the header of a mail or a part may be.
	maxMailHeader = 1 << 20
	// maxMailDepth is how deep multiparts lie in multiparts.
	maxMailDepth = 20
)

// leaf is a part of a mail that has no parts.
type leaf struct {
	kind    string // its media type
	name    string // of an attachment, "" for a body
	content []byte // without transfer encoding; a body is UTF-8
	err     error
}

// mail reads one message (RFC 5322, MIME).
type mail struct {
	in    *Input
	lim   *Limits
	parts int
	held  int64 // bytes of leaves
}

func readEML(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	m := &mail{in: in, lim: lim}
	r := bufio.NewReader(io.NewSectionReader(in.Content, 0, in.Size))
	header, err := mailHeader(r)
	if err != nil {
		return nil, err
	}
	leaves, err := m.entity(header, r, 0)
	if err != nil {
		return nil, err
	}
	n := &inner{ctx: ctx, in: in, lim: lim, b: newBuilder(lim)}
	var head []string
	for _, key := range [...]string{"From", "To", "Cc", "Date", "Subject"} {
		if s := decodeWords(header.Get(key)); s != "" {
			head = append(head, key+": "+s)
		}
	}
	return n.message(head, decodeWords(header.Get("Subject")), leaves)
}

// message appends a mail: its header, its bodies, its attachments.
func (n *inner) message(head []string, subject string, leaves []leaf) (*document.Document, error) {
	n.b.title(subject)
	n.b.paragraph(strings.Join(head, "\n"))
	for _, l := range leaves {
		if l.name == "" {
			if err := n.mailBody(l); err != nil {
				return nil, err
			}
		}
	}
	for i, l := range leaves {
		n.in.progress(i, len(leaves))
		if l.name != "" {
			if err := n.add("Attachment: ", l.name, l.kind, l.content, l.err); err != nil {
				return nil, err
			}
		}
	}
	return n.done()
}

// mailBody appends a body: text, HTML or RTF.
func (n *inner) mailBody(l leaf) error {
	switch l.kind {
	case "text/html":
		return n.htmlBody(l)
	case "text/rtf":
		sub := &builder{most: n.b.most - int64(n.b.len()), table: -1}
		if err := parseRTF(n.ctx, bufio.NewReader(bytes.NewReader(l.content)), sub, n.lim); err != nil {
			return err
		}
		sub.doc.Title = ""
		d, err := sub.done()
		if err == nil {
			n.b.add(d)
		}
		return err
	}
	n.b.paragraph(string(l.content))
	return n.b.err
}

func (n *inner) htmlBody(l leaf) error {
	// The mark says that it is UTF-8 by now, whatever it says itself.
	content := append([]byte("\ufeff"), l.content...)
	d, err := readHTML(n.ctx, &Input{Name: "body.html", ContentType: "text/html", Content: bytes.NewReader(content), Size: int64(len(content)), part: n.in.whole()}, n.lim)
	switch {
	case isLimit(err) || n.ctx.Err() != nil:
		return err
	case err != nil:
		n.b.warn("The HTML text of this mail is damaged and was not read.")
		return nil
	}
	n.b.add(d)
	return n.b.err
}

// mailHeader reads the header of a mail or a part, up to the empty line, and
// takes what mailers really write: other lines among the fields are left out.
func mailHeader(r *bufio.Reader) (textproto.MIMEHeader, error) {
	h := textproto.MIMEHeader{}
	key := ""
	var value strings.Builder
	flush := func() {
		if key != "" {
			h.Add(key, strings.TrimSpace(value.String()))
		}
		key = ""
		value.Reset()
	}
	for size := 0; ; {
		line, err := r.ReadSlice('\n')
		if size += len(line); size > maxMailHeader {
			return nil, overLimit("memory", "This mail has a header of more than %d MiB, which is the limit.", maxMailHeader>>20)
		}
		long := errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !long && err != io.EOF {
			return nil, broken("mail", err)
		}
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			flush()
			return h, nil
		}
		name, rest, field := strings.Cut(text, ":")
		switch {
		case text[0] == ' ' || text[0] == '\t':
			value.WriteByte(' ')
			value.WriteString(strings.TrimSpace(text))
		case field && !strings.ContainsAny(name, " \t"):
			flush()
			key = textproto.CanonicalMIMEHeaderKey(name)
			value.WriteString(rest)
		}
		for long { // the rest of a line that is longer than the buffer
			line, err = r.ReadSlice('\n')
			if size += len(line); size > maxMailHeader {
				break
			}
			value.Write(bytes.TrimRight(line, "\r\n"))
			long = errors.Is(err, bufio.ErrBufferFull)
		}
		if err == io.EOF {
			flush()
			return h, nil
		}
	}
}

// entity reads a part with all parts below it.
func (m *mail) entity(h textproto.MIMEHeader, r io.Reader, depth int) ([]leaf, error) {
	if depth > maxMailDepth {
		return nil, overLimit("depth", "This mail nests its parts more than %d deep.", maxMailDepth)
	}
	if m.parts++; m.parts > m.lim.Members {
		return nil, overLimit("members", "This mail has more than %d parts, which is the limit.", m.lim.Members)
	}
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if kind == "" || err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		kind = "text/plain"
	}
	if !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "" {
		return m.leaf(h, kind, params, r), nil
	}
	var all []leaf
	for parts := multipart.NewReader(r, params["boundary"]); ; {
		part, err := parts.NextRawPart()
		if err != nil { // also a mail that is cut off: what came, counts
			break
		}
		below, err := m.entity(part.Header, part, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, below...)
	}
	if kind == "multipart/alternative" {
		all = onlyPlain(all)
	}
	return all, nil
}

// onlyPlain leaves out the other forms of a text that is there as plain text.
func onlyPlain(all []leaf) []leaf {
	plain := false
	for _, l := range all {
		plain = plain || l.name == "" && l.kind == "text/plain" && len(bytes.TrimSpace(l.content)) > 0
	}
	var kept []leaf
	for _, l := range all {
		if l.name != "" || (l.kind == "text/plain") == plain {
			kept = append(kept, l)
		}
	}
	return kept
}

// leaf reads a part without parts. Pictures that belong to the text are left
// out.
func (m *mail) leaf(h textproto.MIMEHeader, kind string, params map[string]string, r io.Reader) []leaf {
	disposition, dparams, _ := mime.ParseMediaType(h.Get("Content-Disposition"))
	name := decodeWords(dparams["filename"])
	if name == "" {
		name = decodeWords(params["name"])
	}
	l := leaf{kind: kind}
	switch body := kind == "text/plain" || kind == "text/html"; {
	case body && disposition != "attachment" && (name == "" || disposition == "inline"):
	case strings.HasPrefix(kind, "image/") && disposition != "attachment":
		return nil
	case strings.HasSuffix(kind, "/signature"), kind == "application/pgp-signature", kind == "application/pkcs7-signature", kind == "text/calendar" && name == "":
		return nil
	default:
		if l.name = cut(oneLine(name), 200); l.name == "" {
			l.name = attachmentName(kind)
		}
	}
	l.content, l.err = m.decode(h.Get("Content-Transfer-Encoding"), r)
	if l.name != "" {
		return []leaf{l}
	}
	l.content, l.err = toUTF8(l.content, params["charset"]), nil
	if params["format"] == "flowed" {
		l.content = unflow(l.content)
	}
	return []leaf{l}
}

// attachmentName is for attachments without a name.
func attachmentName(kind string) string {
	if kind == "message/rfc822" {
		return "message.eml"
	}
	return "attachment"
}

// decode undoes a transfer encoding. What is damaged ends there: what came
// before counts.
func (m *mail) decode(encoding string, r io.Reader) ([]byte, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, &base64Letters{r})
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	}
	content, err := io.ReadAll(io.LimitReader(r, maxInner-m.held+1))
	if m.held += int64(len(content)); m.held > maxInner {
		m.held = maxInner
		return nil, overLimit("memory", "Mails are read up to %d MiB of attachments.", maxInner>>20)
	}
	if len(content) > 0 {
		err = nil
	}
	return content, err
}

// base64Letters lets through what base64 is written with.
type base64Letters struct{ r io.Reader }

func (b *base64Letters) Read(p []byte) (int, error) {
	for {
		n, err := b.r.Read(p)
		kept := p[:0]
		for _, c := range p[:n] {
			if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '=' {
				kept = append(kept, c)
			}
		}
		if len(kept) > 0 || err != nil {
			return len(kept), err
		}
	}
}

// toUTF8 decodes text in the charset that it is said to be in.
func toUTF8(b []byte, label string) []byte {
	if e, name := charset.Lookup(label); e != nil && name != "utf-8" && name != "replacement" {
		if s, err := e.NewDecoder().Bytes(b); err == nil {
			return s
		}
	}
	if utf8.Valid(b) {
		return b
	}
	s, _ := charmap.Windows1252.NewDecoder().Bytes(b)
	return s
}

// decodeWords decodes the encoded words of a header's field (RFC 2047).
func decodeWords(s string) string {
	dec := mime.WordDecoder{CharsetReader: func(label string, r io.Reader) (io.Reader, error) {
		return charset.NewReaderLabel(label, r)
	}}
	if t, err := dec.DecodeHeader(s); err == nil {
		s = t
	}
	return oneLine(string(toUTF8([]byte(s), "")))
}

// unflow joins the lines of format=flowed (RFC 3676) to paragraphs.
func unflow(b []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(b) {
		text := bytes.TrimRight(line, "\r\n")
		out.Write(text)
		if len(text) == 0 || text[len(text)-1] != ' ' || string(text) == "-- " {
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}
