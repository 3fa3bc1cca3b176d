package extract

import (
	"errors"
	"io"
	"math"
	"strings"

	"github.com/richardlehane/mscfb"
)

// compound is an OLE compound file ([MS-CFB]): a small file system that holds
// the streams of .msg, .doc, .xls and .ppt, and of encrypted office files.
type compound struct {
	// streams by their path, parts joined by "/".
	streams map[string]*mscfb.File
	in      *Input
	lim     *Limits
}

// maxStreams is how many streams a compound file may have; a message with 500
// attachments has 20,000. Their entries take 128 bytes each.
const (
	maxStreams   = 100_000
	maxDirectory = 32 << 20
)

func openCompound(in *Input, lim *Limits) (*compound, error) {
	// The directory is held in memory, so its bytes are bounded.
	dir := &cappedAt{r: in.Content, left: maxDirectory}
	r, err := mscfb.New(dir)
	if err != nil && dir.left >= 0 {
		return nil, broken("file", err)
	}
	if err != nil || len(r.File) > maxStreams {
		return nil, overLimit("members", "This file has more than %d parts, which is the limit.", maxStreams)
	}
	dir.left = math.MaxInt64
	c := &compound{streams: make(map[string]*mscfb.File), in: in, lim: lim}
	for _, f := range r.File {
		if f.FileInfo().IsDir() {
			continue
		}
		name := strings.Join(append(f.Path[:len(f.Path):len(f.Path)], f.Name), "/")
		if c.streams[name] == nil {
			c.streams[name] = f
		}
	}
	return c, nil
}

// errNoStream is a stream that is not there.
var errNoStream = errors.New("no such stream")

// stream reads a whole stream of at most limit bytes. A stream cannot be
// longer than the file; chains of sectors that go round are cut by that.
func (c *compound) stream(name string, limit int64) ([]byte, error) {
	f := c.streams[name]
	if f == nil {
		return nil, errNoStream
	}
	if f.Size > c.in.Size {
		return nil, broken("file", errors.New("a stream longer than its file"))
	}
	if f.Size > limit {
		return nil, overLimit("memory", "A part of this file is larger than %d MiB, which is the limit.", limit>>20)
	}
	// mscfb does quadratic work in the number of sectors asked for at once.
	const piece = 32 << 10
	_, _ = f.Seek(0, io.SeekStart) // it may have been read before
	b := make([]byte, f.Size)
	r := c.in.unpack(f, c.lim)
	for done := int64(0); done < f.Size; {
		n, err := r.Read(b[done:min(done+piece, f.Size)])
		done += int64(n)
		if done < f.Size && (err != nil && err != io.EOF || n == 0) {
			return nil, broken("file", err)
		}
	}
	return b, nil
}
