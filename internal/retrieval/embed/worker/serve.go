package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"portico/internal/errdefs"
	"portico/internal/retrieval/embed"
)

// Serve is what the child runs: it opens the model that the first frame names
// and embeds until its input ends.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	r := bufio.NewReader(in)
	kind, body, err := readFrame(r, nil)
	if err != nil || kind != frameOpen {
		return errors.New("this command is started by the server, not by hand")
	}
	var o opening
	if err := json.Unmarshal(body, &o); err != nil {
		return fmt.Errorf("the opening frame cannot be read: %w", err)
	}
	lower(o.Nice, o.Memory)
	l, err := embed.OpenLocal(o.Dir, o.Options)
	if err != nil {
		return writeJSON(out, frameError, faultOf(err))
	}
	defer l.Close()
	if l.Space().ID != o.Space {
		err := errdefs.New(errdefs.Invalid, "The files of the embedding model are not those that the server started with. Restart the server.")
		return writeJSON(out, frameError, faultOf(err))
	}
	if err := writeFrame(out, frameVectors, nil); err != nil {
		return err
	}
	var buf, answer []byte
	var vectors []float32
	for {
		kind, buf, err = readFrame(r, buf)
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case kind != frameTexts:
			return fmt.Errorf("a frame of kind %q", kind)
		}
		texts, err := parseTexts(buf)
		if err != nil {
			return err
		}
		if vectors, err = l.Passages(ctx, texts, vectors[:0]); err != nil {
			err = writeJSON(out, frameError, faultOf(err))
		} else {
			answer = appendVectors(answer[:0], vectors)
			err = writeFrame(out, frameVectors, answer)
		}
		if err != nil {
			return err
		}
	}
}

func faultOf(err error) fault {
	e := errdefs.From(err)
	f := fault{Kind: e.Kind, Detail: e.Detail}
	if e.Err != nil {
		f.Cause = e.Err.Error()
	}
	return f
}

func (f fault) err() error {
	e := errdefs.New(f.Kind, f.Detail)
	if f.Cause != "" {
		e = e.WithCause(errors.New(f.Cause))
	}
	return e
}
