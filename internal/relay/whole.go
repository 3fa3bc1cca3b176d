package relay

import (
	"errors"
	"net/http"
	"time"
)

// piece is how much of a whole answer is written under one deadline.
const piece = 256 << 10

// Whole writes the body of an answer that is not streamed; its head was
// written. A client that does not take a piece of a large one within timeout is
// given up. Its error is that of the write.
func Whole(w http.ResponseWriter, body []byte, timeout time.Duration) error {
	if len(body) <= piece {
		_, err := w.Write(body)
		return err
	}
	rc := http.NewResponseController(w)
	defer rc.SetWriteDeadline(time.Time{})
	for rest := body; len(rest) > 0; {
		n := min(len(rest), piece)
		if err := rc.SetWriteDeadline(time.Now().Add(timeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if _, err := w.Write(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}
