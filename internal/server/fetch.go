package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"portico/internal/egress"
	"portico/internal/hop"
)

// maxRedirects is how often a fetched address may point elsewhere; each place
// is checked anew.
const maxRedirects = 3

// fetcher opens addresses that people typed. It reaches public ones only.
type fetcher struct{ dialer hop.Dialer }

func newFetcher() fetcher { return fetcher{egress.NewUntrusted(egress.Config{})} }

// fetch gives the body behind an address and its length, or -1. The caller
// closes it.
func (f fetcher) fetch(ctx context.Context, raw string) (io.ReadCloser, int64, error) {
	for range maxRedirects + 1 {
		target, err := egress.ParseURL(raw, egress.Untrusted)
		if err != nil {
			return nil, 0, err
		}
		up, err := hop.New(target.Scheme+"://"+target.Host, hop.Options{Dialer: f.dialer, MaxIdle: 1})
		if err != nil {
			return nil, 0, err
		}
		resp, err := up.Do(ctx, &hop.Request{Path: target.RequestURI()})
		if err != nil {
			up.Close()
			return nil, 0, err
		}
		body := fetched{resp, up}
		switch {
		case resp.Status == http.StatusOK:
			return body, resp.ContentLength, nil
		case resp.Status >= 300 && resp.Status < 400 && resp.Header("Location") != "":
			next, err := target.Parse(resp.Header("Location"))
			_ = body.Close()
			if err != nil {
				return nil, 0, err
			}
			raw = next.String()
		default:
			_ = body.Close()
			return nil, 0, fmt.Errorf("status %d", resp.Status)
		}
	}
	return nil, 0, errors.New("too many redirects")
}

// fetched is an open answer and the connection that it alone uses.
type fetched struct {
	*hop.Response
	up *hop.Upstream
}

// Close lets go of both.
func (f fetched) Close() error {
	err := f.Response.Close()
	f.up.Close()
	return err
}
