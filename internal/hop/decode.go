package hop

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
)

// What a compressed answer may grow to. None is asked for; some upstreams
// compress all the same.
const (
	maxDecoded  = 64 << 20
	maxRatio    = 100
	ratioExcuse = 1 << 20 // decoded bytes before the ratio counts
)

var errBomb = errors.New("hop: the compressed body grows beyond 64 MiB or 100:1")

// decoder reads a compressed body. It does not know how to wait without a
// buffer: such answers are rare.
type decoder struct {
	r       *Response
	packed  int64
	given   int64
	in      *bufio.Reader
	out     io.Reader // made when the first byte is asked for
	deflate bool
	buf     []byte
	err     error
}

// decode readies the decoding of a body, or refuses it.
func (r *Response) decode(encoding []byte) error {
	switch {
	case is(encoding, "gzip"), is(encoding, "x-gzip"), is(encoding, "deflate"):
		r.dec = &decoder{r: r, deflate: is(encoding, "deflate")}
		r.dec.in = bufio.NewReader(packedReader{r.dec})
		return nil
	}
	return fmt.Errorf("hop: the answer is compressed in a way that was not asked for: %.20q", encoding)
}

// packedReader is the body as it came.
type packedReader struct{ d *decoder }

func (p packedReader) Read(b []byte) (int, error) {
	n, err := p.d.r.read(b)
	p.d.packed += int64(n)
	return n, err
}

func (d *decoder) open() (err error) {
	if !d.deflate {
		d.out, err = gzip.NewReader(d.in)
		return err
	}
	// "deflate" should have a zlib head; some senders leave it out.
	b, _ := d.in.Peek(2)
	if len(b) == 2 && b[0]&0x0f == 8 && (uint(b[0])<<8|uint(b[1]))%31 == 0 {
		d.out, err = zlib.NewReader(d.in)
		return err
	}
	d.out = flate.NewReader(d.in)
	return nil
}

func (d *decoder) next() ([]byte, error) {
	if d.buf == nil {
		d.buf = make([]byte, bufferSize)
	}
	n, err := d.Read(d.buf)
	return d.buf[:n], err
}

func (d *decoder) Read(p []byte) (n int, err error) {
	if d.err != nil {
		return 0, d.err
	}
	if d.out == nil {
		err = d.open()
	}
	for n == 0 && err == nil {
		n, err = d.out.Read(p)
	}
	d.given += int64(n)
	if d.given > maxDecoded || (d.given > ratioExcuse && d.given > maxRatio*d.packed) {
		n, err = 0, errBomb
	}
	if err == nil {
		return n, nil
	}
	d.err = d.end(err)
	if n > 0 {
		return n, nil
	}
	return 0, d.err
}

// end turns the end of the decoder into the end of the body.
func (d *decoder) end(err error) error {
	if d.r.c == nil { // the body ended first, well or not
		if err == io.EOF || d.r.body != io.EOF {
			return d.r.body
		}
		return &Error{Phase: Body, Err: err}
	}
	if err == io.EOF {
		if _, err = d.r.next(); err == io.EOF {
			return err
		}
		err = errors.New("hop: bytes behind the compressed body")
	}
	if d.r.c == nil {
		return d.r.body
	}
	return d.r.broke(err)
}
