package server

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"portico/internal/egress"
	"portico/internal/errdefs"
	"portico/internal/hop"
	"portico/internal/retrieval"
)

// The bounds of a page that somebody names.
const (
	pageTime = 20 * time.Second // in all, redirects included
	pageSize = 16 << 20         // bytes, unpacked
)

// page reads a web page that anybody may have named. Every address on the way
// is checked anew when it is dialled. What went wrong is told without saying
// what is there: an address inside is refused like one that nobody answers at.
func (f fetcher) page(ctx context.Context, raw string) (*retrieval.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	for range maxRedirects + 1 {
		target, err := egress.ParseURL(raw, egress.Untrusted)
		if err != nil {
			return nil, errdefs.New(errdefs.Invalid, "This address cannot be read: it must be a plain http or https address of a public server.").WithCause(err)
		}
		page, next, err := f.visit(ctx, target)
		if err != nil || page != nil {
			return page, err
		}
		raw = next
	}
	return nil, errdefs.Newf(errdefs.Invalid, "The page points elsewhere more than %d times.", maxRedirects)
}

// visit asks one address: for the page, or for where it is instead.
func (f fetcher) visit(ctx context.Context, target *url.URL) (page *retrieval.Page, next string, err error) {
	up, err := hop.New(target.Scheme+"://"+target.Host, hop.Options{Dialer: f.dialer, MaxIdle: 1})
	if err != nil {
		return nil, "", errdefs.New(errdefs.Invalid, "This address cannot be read.").WithCause(err)
	}
	defer up.Close()
	resp, err := up.Do(ctx, &hop.Request{Path: target.RequestURI(), Accept: "text/html,text/*;q=0.9,application/pdf;q=0.8,application/json;q=0.7"})
	if err != nil {
		return nil, "", errUnreached.WithCause(err)
	}
	defer resp.Close()
	switch where := resp.Header("Location"); {
	case resp.Status >= 300 && resp.Status < 400 && where != "":
		to, err := target.Parse(where)
		if err != nil {
			return nil, "", errdefs.New(errdefs.Invalid, "The page points to an address that makes no sense.").WithCause(err)
		}
		return nil, to.String(), nil
	case resp.Status != http.StatusOK:
		return nil, "", errdefs.Newf(errdefs.Invalid, "The page could not be read: its server answered with status %d.", resp.Status)
	}
	kind := resp.ContentType
	if !readable(kind) {
		return nil, "", errdefs.New(errdefs.Invalid, "The address is neither a text, a PDF nor JSON.")
	}
	body, err := io.ReadAll(io.LimitReader(resp, pageSize+1))
	switch {
	case err != nil:
		return nil, "", errUnreached.WithCause(err)
	case len(body) > pageSize:
		return nil, "", errdefs.Newf(errdefs.Invalid, "The page is larger than %d MiB.", pageSize>>20)
	}
	return &retrieval.Page{URL: target.String(), Name: path.Base(target.Path), ContentType: kind, Body: body}, "", nil
}

var errUnreached = errdefs.New(errdefs.Invalid, "The page could not be read: its server is not public, does not answer, or broke off.")

// readable reports whether a page of that type is read.
func readable(kind string) bool {
	media, _, err := mime.ParseMediaType(kind)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return kind == "" // a server that does not say; what comes decides
	}
	switch media {
	case "application/pdf", "application/json", "application/xml", "application/xhtml+xml", "application/rss+xml", "application/atom+xml":
		return true
	}
	return strings.HasPrefix(media, "text/")
}
