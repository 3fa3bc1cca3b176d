package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// stage is how far the server is with a file.
type stage struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Stage  string `json:"stage"`
	Done   int    `json:"done"`
	Total  int    `json:"total"`
}

func (s stage) over() bool {
	return s.Status != "pending" && s.Status != "processing"
}

// follow tells of a file until it is read. Its error is the reason why it was
// not. A stream that breaks off is asked for again.
func (r *remote) follow(ctx context.Context, fileID string, tell func(stage)) (stage, error) {
	const tries = 10
	for try := 1; ; try++ {
		s, err := r.watch(ctx, fileID, tell)
		switch {
		case err != nil && (ctx.Err() != nil || try == tries || statusIs(err, http.StatusNotFound, http.StatusUnauthorized, http.StatusForbidden)):
			return s, err
		case err == nil && s.Status == "failed":
			return s, errors.New(first(s.Error, "the file could not be read"))
		case err == nil && s.Status == "not_found":
			return s, errors.New("the file was deleted meanwhile")
		case err == nil && s.over():
			return s, nil
		}
		if err == nil {
			try = 0 // the server only ended the stream
		}
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// watch reads one stream to its end and gives what it said last.
func (r *remote) watch(ctx context.Context, fileID string, tell func(stage)) (last stage, err error) {
	resp, err := r.send(ctx, http.MethodGet, "/api/v1/files/"+url.PathEscape(fileID)+"/process/status?stream=true", "", nil)
	if err != nil {
		return stage{Status: "pending"}, err
	}
	defer resp.Body.Close()
	last.Status = "pending"
	told := false
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		last = stage{}
		if err := json.Unmarshal([]byte(data), &last); err != nil {
			return stage{Status: "pending"}, fmt.Errorf("the server's progress cannot be read: %w", err)
		}
		told = true
		tell(last)
	}
	if err := lines.Err(); err != nil || told {
		return last, err
	}
	return last, errors.New("the server does not say how far the file is")
}
