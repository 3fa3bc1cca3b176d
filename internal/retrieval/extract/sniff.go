package extract

import (
	"bytes"
	"io"
	"mime"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"
)

// sniffed is how much of a file's beginning is looked at.
const sniffed = 4 << 10

// magics are the beginnings of files, in the order in which they are tried.
var magics = [...]struct {
	at    int
	magic string
	name  string // of a format
}{
	{0, "PK\x03\x04", "ZIP archive"}, {0, "PK\x05\x06", "ZIP archive"}, {0, "PK\x07\x08", "ZIP archive"},
	{0, "{\\rtf", "RTF document"},
	{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE"},
	{0, "\x89PNG\r\n\x1a\n", "image"}, {0, "\xff\xd8\xff", "image"}, {0, "GIF87a", "image"}, {0, "GIF89a", "image"},
	{0, "II*\x00", "image"}, {0, "MM\x00*", "image"}, {8, "WEBPVP8", "image"}, {4, "ftypavif", "image"}, {4, "ftypheic", "image"}, {4, "ftypmif1", "image"},
	{4, "ftyp", "video"}, {4, "moov", "video"}, {0, "\x1aE\xdf\xa3", "video"}, {8, "AVI LIST", "video"}, {0, "FLV\x01", "video"}, {0, "\x00\x00\x01\xba", "video"}, {0, "\x00\x00\x01\xb3", "video"}, {0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video"},
	{0, "OggS", "sound"}, {0, "ID3\x02", "sound"}, {0, "ID3\x03", "sound"}, {0, "ID3\x04", "sound"}, {0, "\xff\xfb", "sound"}, {0, "\xff\xf1", "sound"}, {8, "WAVEfmt ", "sound"}, {0, "fLaC\x00", "sound"}, {0, "MThd\x00", "sound"},
	{0, "\x1f\x8b\x08", "archive"}, {0, "7z\xbc\xaf\x27\x1c", "archive"}, {0, "Rar!\x1a\x07", "archive"}, {0, "\xfd7zXZ\x00", "archive"}, {0, "BZh91AY&SY", "archive"}, {0, "\x28\xb5\x2f\xfd", "archive"}, {257, "ustar", "archive"},
	{0, "\x7fELF", "program"}, {0, "MZ\x90\x00", "program"}, {0, "\xca\xfe\xba\xbe", "program"}, {0, "\xcf\xfa\xed\xfe", "program"}, {0, "\x00asm\x01", "program"},
	{0, "SQLite format 3\x00", "database"}, {0, "PAR1", "database"},
	{0, "\x00\x01\x00\x00\x00", "font"}, {0, "OTTO\x00", "font"}, {0, "wOFF", "font"}, {0, "wOF2", "font"},
}

// sniff gives the format of a file, never nil: what its bytes show counts
// before its extension, and that before what the client says. An extension
// that promises something else than text is not believed of text, and the
// other way round.
func (p *Parser) sniff(in *Input) *format {
	head := make([]byte, min(in.Size, sniffed))
	n, err := in.Content.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return p.byName["unknown"]
	}
	head = head[:n]
	ext := extension(in.Name)
	switch name := magic(head); name {
	case "":
	case "ZIP archive":
		return p.byName[zipKind(in, p.byExt[ext])]
	case "OLE":
		return p.byName[oleKind(in, ext)]
	default:
		return p.byName[name]
	}
	if !isText(head) {
		return p.byName["unknown"]
	}
	byExt := p.byExt[ext]
	switch {
	case byExt != nil && (byExt.text || byExt.name == "mail"):
		return byExt
	case ext == "fodt":
		return p.byName["XML"]
	}
	said, _, _ := mime.ParseMediaType(in.ContentType)
	if f := p.byType[said]; f != nil && (f.text && f.name != "text" || f.name == "mail") {
		return f
	}
	return p.byName[textKind(head)]
}

// extension is the last part of a name, lower case; of Makefile it is "makefile".
func extension(name string) string {
	name = strings.ToLower(path.Base(strings.ReplaceAll(name, "\\", "/")))
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[i+1:]
	}
	return name
}

// magic gives the name of what begins like this, "" for none.
func magic(head []byte) string {
	if i := bytes.Index(head[:min(len(head), 1024)], []byte("%PDF-")); i >= 0 && (i == 0 || !utf8.Valid(head[:i]) || len(bytes.TrimSpace(head[:i])) == 0) {
		return "PDF"
	}
	if len(head) > 18 && string(head[:2]) == "BM" && string(head[6:10]) == "\x00\x00\x00\x00" {
		return "image"
	}
	for _, m := range magics {
		if len(head) >= m.at+len(m.magic) && string(head[m.at:m.at+len(m.magic)]) == m.magic {
			return m.name
		}
	}
	return ""
}

// isText reports whether bytes at a file's beginning are text in some
// encoding: what is not UTF-16 or UTF-32 has no NUL and few control characters.
func isText(head []byte) bool {
	if wide(head) != "" {
		return true
	}
	odd := 0
	for _, c := range head {
		if c == 0 {
			return false
		}
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 0x1b && c != '\b' || c == 0x7f {
			odd++
		}
	}
	return odd <= 2+len(head)/50
}

var (
	looksHTML = regexp.MustCompile(`(?is)^\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)[\s>]`)
	looksXML  = regexp.MustCompile(`(?is)^\s*<\?xml\s`)
	looksMail = regexp.MustCompile(`(?i)^(received|return-path|delivered-to|message-id|mime-version|from|x-[\w-]+|date|subject): ?\S.*\r?\n([\w-]+: |[ \t])`)
)

// textKind gives the name of the text format that shows itself.
func textKind(head []byte) string {
	head = bytes.TrimPrefix(head, []byte("\ufeff"))
	switch {
	case looksHTML.Match(head):
		return "HTML"
	case looksXML.Match(head):
		return "XML"
	case looksMail.Match(head):
		return "mail"
	}
	return "text"
}

// zipKind tells what a ZIP file is by its members. said is the format of its
// extension, which decides where they do not.
func zipKind(in *Input, said *format) string {
	z, err := openZip(in, &Limits{Members: 100_000})
	if err != nil {
		if said != nil && !said.text {
			return said.name // its reader says what is wrong
		}
		return "ZIP archive"
	}
	for i, f := range z.File {
		if i == 0 && f.Name == "mimetype" && f.UncompressedSize64 < 100 {
			if r, err := f.Open(); err == nil {
				b, _ := io.ReadAll(io.LimitReader(r, 100))
				_ = r.Close()
				if name := openDocument(strings.TrimSpace(string(b))); name != "" {
					return name
				}
			}
		}
		switch {
		case f.Name == "word/document.xml":
			return "Word document"
		case f.Name == "xl/workbook.xml":
			return "Excel workbook"
		case f.Name == "ppt/presentation.xml":
			return "PowerPoint presentation"
		case f.Name == "META-INF/container.xml":
			return "EPUB book"
		case f.Name == "AndroidManifest.xml" || f.Name == "META-INF/MANIFEST.MF" && said == nil:
			return "program"
		}
	}
	return "ZIP archive"
}

func openDocument(mimetype string) string {
	kind, ok := strings.CutPrefix(mimetype, "application/vnd.oasis.opendocument.")
	switch {
	case mimetype == "application/epub+zip":
		return "EPUB book"
	case ok && strings.HasPrefix(kind, "text"):
		return "OpenDocument text"
	case ok && strings.HasPrefix(kind, "spreadsheet"):
		return "OpenDocument spreadsheet"
	case ok && strings.HasPrefix(kind, "presentation"):
		return "OpenDocument presentation"
	}
	return ""
}

// oleKind tells what an OLE file (of Office before 2007, or encrypted, or of
// Outlook) is by the names in its directory, which are UTF-16.
func oleKind(in *Input, ext string) string {
	const looked = 1 << 20
	wide := func(s string) []byte {
		b := make([]byte, 0, 2*len(s))
		for i := range len(s) {
			b = append(b, s[i], 0)
		}
		return b
	}
	buf := make([]byte, min(in.Size, looked))
	n, _ := in.Content.ReadAt(buf, 0)
	buf = buf[:n]
	if in.Size > looked { // the directory may as well be at the end
		tail := make([]byte, min(in.Size-looked, looked))
		n, _ = in.Content.ReadAt(tail, in.Size-int64(len(tail)))
		buf = append(buf, tail[:n]...)
	}
	for _, k := range [...]struct{ stream, name string }{
		{"EncryptedPackage", "encrypted Office file"},
		{"__properties_version1.0", "Outlook message"},
		{"WordDocument", "old Word document"},
		{"PowerPoint Document", "old PowerPoint presentation"},
		{"Workbook", "old Excel workbook"},
	} {
		if bytes.Contains(buf, wide(k.stream)) {
			return k.name
		}
	}
	if ext == "msg" {
		return "Outlook message"
	}
	return "Office file"
}
