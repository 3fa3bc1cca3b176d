package extract

import (
	"archive/zip"
	"cmp"
	"errors"
	"io"
	"math"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// archive is a zip file: an office document, a book, or just a zip. Its
// members are read as streams; nothing of it ever becomes a file, so a
// member's name is only ever a name.
type archive struct {
	// files are the members in the order of the directory, without folders.
	files []*zip.File
	// named has the first member of each name as memberName gives it.
	named map[string]*zip.File
	in    *Input
	lim   *Limits
}

// directoryPerMember is what the directory of an archive may take per allowed
// member, in bytes; a name rarely takes more than 200.
const directoryPerMember = 512

// openArchive reads the directory of a zip file under Limits.Members; kind is
// what the file is called in errors.
func openArchive(in *Input, lim *Limits, kind string) (*archive, error) {
	tooMany := overLimit("members", "This %s has more than %d parts, which is the limit.", kind, lim.Members)
	// The directory's bytes are bounded, for its count of members may lie.
	dir := &cappedAt{r: in.Content, left: directoryPerMember*int64(lim.Members) + 128<<10}
	zr, err := zip.NewReader(dir, in.Size)
	switch {
	case dir.left < 0:
		return nil, tooMany
	case err != nil:
		return nil, broken(kind, err)
	case len(zr.File) > lim.Members:
		return nil, tooMany
	}
	dir.left = math.MaxInt64
	if err := apart(zr.File, in.Size); err != nil {
		return nil, err
	}
	a := &archive{named: make(map[string]*zip.File, len(zr.File)), in: in, lim: lim}
	for _, f := range zr.File {
		if strings.HasSuffix(f.Name, "/") || !f.Mode().IsRegular() {
			continue // a link or a device has no text
		}
		a.files = append(a.files, f)
		if name := memberName(f); a.named[name] == nil {
			a.named[name] = f
		}
	}
	return a, nil
}

// apart sees to it that no two members share bytes. That is how a small file
// unpacks to petabytes: many members over one packed kernel.
func apart(files []*zip.File, size int64) error {
	overlap := &Error{Code: "broken", Detail: "Members of the archive overlap one another, as those of a zip bomb do. Pack it again."}
	type extent struct{ start, end int64 }
	var all []extent
	for _, f := range files {
		start, err := f.DataOffset()
		if err != nil {
			continue // opening it will say so
		}
		packed := int64(f.CompressedSize64)
		if packed < 0 || packed > size {
			return overlap
		}
		all = append(all, extent{start - 30 - int64(len(f.Name)), start + packed})
	}
	slices.SortFunc(all, func(a, b extent) int { return cmp.Compare(a.start, b.start) })
	for i := 1; i < len(all); i++ {
		if all[i].start < all[i-1].end {
			return overlap
		}
	}
	return nil
}

// memberName is the name of a member as a clean relative path for people and
// for look-ups: slashes only, no "..", no drive, no control characters.
func memberName(f *zip.File) string {
	name := f.Name
	if f.NonUTF8 && !utf8.ValidString(name) {
		name, _ = charmap.CodePage437.NewDecoder().String(name)
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '\\':
			return '/'
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError:
			return -1
		}
		return r
	}, name)
	if len(name) > 1 && name[1] == ':' {
		name = name[2:]
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}

// has tells whether a member of that name is there.
func (a *archive) has(name string) bool { return a.named[name] != nil }

// open opens the member of that clean name; it is "broken" where there is none.
func (a *archive) open(name string) (io.ReadCloser, error) {
	f := a.named[name]
	if f == nil {
		return nil, &Error{Code: "broken", Detail: "A part of the file is missing. Open it in its program and save it again."}
	}
	return a.openFile(f)
}

// openFile opens a member under the limits of expansion.
func (a *archive) openFile(f *zip.File) (io.ReadCloser, error) {
	const encrypted = 1
	if f.Flags&encrypted != 0 {
		return nil, &Error{Code: "encrypted", Detail: "It is protected by a password. Save it without one."}
	}
	rc, err := f.Open()
	switch {
	case errors.Is(err, zip.ErrAlgorithm):
		return nil, &Error{Code: "unsupported", Detail: "It is packed by a method that is not read. Pack it as a plain zip (deflate).", Err: err}
	case err != nil:
		return nil, broken("archive", err)
	}
	return &member{Reader: a.in.unpack(rc, a.lim), Closer: rc}, nil
}

// member reads one member of an archive. Its own errors are "broken".
type member struct {
	io.Reader
	io.Closer
}

func (m *member) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = broken("file", err)
	}
	return n, err
}

// cappedAt reads no more than left bytes in all.
type cappedAt struct {
	r    io.ReaderAt
	left int64
}

func (c *cappedAt) ReadAt(p []byte, off int64) (int, error) {
	if c.left -= int64(len(p)); c.left < 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return c.r.ReadAt(p, off)
}
