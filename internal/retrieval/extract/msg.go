package extract

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/encoding/unicode"

	"portico/internal/retrieval/document"
)

// The properties of messages that are read ([MS-OXPROPS]).
const (
	propSubject      = 0x0037
	propSubmitTime   = 0x0039
	propDeliveryTime = 0x0E06
	propCc           = 0x0E03
	propTo           = 0x0E04
	propSender       = 0x0C1A
	propSenderMail   = 0x0C1F
	propSenderSMTP   = 0x5D01
	propBody         = 0x1000
	propRTF          = 0x1009
	propHTML         = 0x1013
	propCodepage     = 0x3FFD
	propInternetCP   = 0x3FDE
	propDisplayName  = 0x3001
	propAttachData   = 0x3701
	propAttachShort  = 0x3704
	propAttachLong   = 0x3707
	propAttachMIME   = 0x370E
	propContentID    = 0x3712
)

// The types of properties ([MS-OXCDATA] 2.11.1).
const (
	typeString8 = 0x001E
	typeUnicode = 0x001F
	typeBinary  = 0x0102
	typeInteger = 0x0003
	typeTime    = 0x0040
)

// maxField is how long a subject, a name, a list of recipients may be.
const maxField = 1 << 20

// msg reads a message of Outlook ([MS-OXMSG]): the root of a compound file, or
// a storage below it where one is attached.
type msg struct {
	c      *compound
	prefix string // of the streams' paths
	fixed  map[uint32][8]byte
	cp     int // of its strings that are not Unicode
}

func readMSG(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	c, err := openCompound(in, lim)
	if err != nil {
		return nil, err
	}
	const header = 32
	n := &inner{ctx: ctx, in: in, lim: lim, b: newBuilder(lim)}
	return readMessage(n, c, "", header)
}

// readMessage reads the message whose streams have a prefix; header is the
// size of the header of its properties.
func readMessage(n *inner, c *compound, prefix string, header int) (*document.Document, error) {
	m := &msg{c: c, prefix: prefix}
	if err := m.properties(header); err != nil {
		return nil, err
	}
	subject := m.text(propSubject)
	from, mail := m.text(propSender), m.text(propSenderSMTP)
	if mail == "" {
		mail = m.text(propSenderMail)
	}
	if strings.Contains(mail, "@") && mail != from {
		from = strings.TrimSpace(from + " <" + mail + ">")
	}
	var head []string
	for _, f := range [...][2]string{{"From", from}, {"To", m.text(propTo)}, {"Cc", m.text(propCc)}, {"Date", m.date()}, {"Subject", subject}} {
		if s := oneLine(f[1]); s != "" {
			head = append(head, f[0]+": "+s)
		}
	}
	body, err := m.body(n.lim)
	if err != nil {
		return nil, err
	}
	n.b.title(subject)
	n.b.paragraph(strings.Join(head, "\n"))
	if err := n.mailBody(body); err != nil {
		return nil, err
	}
	if err := m.attachments(n); err != nil {
		return nil, err
	}
	return n.done()
}

// properties reads the values of fixed size.
func (m *msg) properties(header int) error {
	b, err := m.c.stream(m.prefix+"__properties_version1.0", maxInner)
	if errors.Is(err, errNoStream) {
		return broken("Outlook message", err)
	}
	if err != nil {
		return err
	}
	m.fixed = fixedProperties(b, header)
	m.cp = m.integer(propCodepage)
	if codepage(m.cp) == nil || m.cp == 1200 {
		m.cp = m.integer(propInternetCP)
	}
	return nil
}

// fixedProperties reads a stream of properties: entries of 16 bytes, with the
// type and the number, flags, and a value of at most 8 bytes.
func fixedProperties(b []byte, header int) map[uint32][8]byte {
	fixed := map[uint32][8]byte{}
	const entry = 16
	for i := header; i+entry <= len(b) && len(fixed) < 1<<12; i += entry {
		fixed[binary.LittleEndian.Uint32(b[i:])] = [8]byte(b[i+8 : i+16])
	}
	return fixed
}

func (m *msg) integer(id uint32) int {
	v := m.fixed[id<<16|typeInteger]
	return int(binary.LittleEndian.Uint32(v[:]))
}

// date is when the message was sent, or when it came.
func (m *msg) date() string {
	for _, id := range [...]uint32{propSubmitTime, propDeliveryTime} {
		if v, ok := m.fixed[id<<16|typeTime]; ok {
			return fileTime(binary.LittleEndian.Uint64(v[:]))
		}
	}
	return ""
}

// fileTime writes a moment in steps of 100 ns since 1601.
func fileTime(v uint64) string {
	const epoch, year9999 = 116444736000000000, 2650467743990000000
	if v < epoch || v > year9999 {
		return ""
	}
	return time.Unix(int64(v-epoch)/1e7, 0).UTC().Format(time.RFC1123Z)
}

// stream reads a property of variable size; nil where there is none.
func (m *msg) stream(prefix string, id, typ uint32, limit int64) ([]byte, error) {
	b, err := m.c.stream(fmt.Sprintf("%s__substg1.0_%04X%04X", prefix, id, typ), limit)
	if errors.Is(err, errNoStream) {
		return nil, nil
	}
	return b, err
}

// text is a short text, "" where there is none that can be read.
func (m *msg) text(id uint32) string {
	s, _ := m.long(m.prefix, id, maxField)
	return s
}

// long reads a text of a property.
func (m *msg) long(prefix string, id uint32, limit int64) (string, error) {
	b, err := m.stream(prefix, id, typeUnicode, limit)
	if err == nil && b != nil {
		b, err = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder().Bytes(b)
		return strings.TrimRight(string(b), "\x00"), err
	}
	if err == nil {
		b, err = m.stream(prefix, id, typeString8, limit)
	}
	return strings.TrimRight(string(m.decode(b)), "\x00"), err
}

// decode decodes text of the message's codepage.
func (m *msg) decode(b []byte) []byte {
	if e := codepage(m.cp); e != nil && !ascii(b) {
		if s, err := e.NewDecoder().Bytes(b); err == nil {
			return s
		}
	}
	return toUTF8(b, "")
}

// body gives the text as it is, else as HTML, else as RTF.
func (m *msg) body(lim *Limits) (leaf, error) {
	s, err := m.long(m.prefix, propBody, lim.Text)
	if err != nil || strings.TrimSpace(s) != "" {
		return leaf{kind: "text/plain", content: []byte(s)}, err
	}
	html, err := m.stream(m.prefix, propHTML, typeBinary, lim.Text)
	if err != nil {
		return leaf{}, err
	}
	if len(html) == 0 {
		s, err := m.long(m.prefix, propHTML, lim.Text)
		if err != nil || s != "" {
			return leaf{kind: "text/html", content: []byte(s)}, err
		}
	} else {
		inner := msg{cp: m.integer(propInternetCP)}
		return leaf{kind: "text/html", content: inner.decode(html)}, nil
	}
	packed, err := m.stream(m.prefix, propRTF, typeBinary, lim.Text)
	if err != nil || len(packed) == 0 {
		return leaf{}, err
	}
	rtf, err := unpackRTF(packed, lim.Text)
	return leaf{kind: "text/rtf", content: rtf}, err
}

// attachments reads the files and messages that are attached. Pictures that
// belong to the text are left out.
func (m *msg) attachments(n *inner) error {
	var held int64
	for i := range n.lim.Members {
		at := fmt.Sprintf("%s__attach_version1.0_#%08X/", m.prefix, i)
		if m.c.streams[at+"__properties_version1.0"] == nil {
			break
		}
		name, _ := m.long(at, propAttachLong, maxField)
		if name == "" {
			name, _ = m.long(at, propAttachShort, maxField)
		}
		kind, _ := m.long(at, propAttachMIME, maxField)
		if id, _ := m.long(at, propContentID, maxField); id != "" && strings.HasPrefix(kind, "image/") {
			continue
		}
		if name == "" {
			name, _ = m.long(at, propDisplayName, maxField)
		}
		embedded := at + fmt.Sprintf("__substg1.0_%04X000D/", propAttachData)
		message := m.c.streams[embedded+"__properties_version1.0"] != nil
		if name = cut(oneLine(name), 200); name == "" && message {
			name = "message"
		} else if name == "" {
			name = attachmentName(kind)
		}
		var err error
		if message {
			err = m.embedded(n, name, embedded)
		} else {
			var content []byte
			content, err = m.stream(at, propAttachData, typeBinary, maxInner-held)
			held += int64(len(content))
			err = n.add("Attachment: ", name, kind, content, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// embedded reads an attached message, which lies in the same compound file.
func (m *msg) embedded(n *inner, name, prefix string) error {
	const header = 24
	in, err := n.in.member(name, "", n.in.Content, n.in.Size, n.lim)
	var d *document.Document
	if err == nil {
		lim := *n.lim
		lim.Text -= int64(n.b.len())
		d, err = readMessage(&inner{ctx: n.ctx, in: in, lim: n.lim, b: newBuilder(&lim)}, m.c, prefix, header)
	}
	return n.added("Attachment: ", name, d, err)
}
