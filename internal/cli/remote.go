package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// remote is a running server, asked over HTTP with somebody's key.
type remote struct {
	base, key string
	client    *http.Client
}

// onRemote adds the flags that say which server to ask, and opens it.
func onRemote(env *Env, c *cobra.Command, run func(cmd *cobra.Command, r *remote, args []string) error) *cobra.Command {
	address := c.Flags().String("url", "", "address of the server (PORTICO_URL; default http://127.0.0.1:3000)")
	key := c.Flags().String("key", "", "API key (PORTICO_KEY, which other users of this machine do not see)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		look := variable(env.Environ)
		r := &remote{base: strings.TrimRight(first(*address, look("PORTICO_URL"), "http://127.0.0.1:3000"), "/"), key: first(*key, look("PORTICO_KEY"))}
		if u, err := url.Parse(r.base); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return wrong{errors.New("the address of the server is like https://models.example.com; see --url")}
		}
		if r.key == "" {
			return wrong{errors.New("a key is needed: set PORTICO_KEY, or make one with portico key create")}
		}
		transport := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 10 * time.Second}
		defer transport.CloseIdleConnections()
		r.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("the server answers with a redirect: give its own address by --url") // the key goes nowhere else
		}}
		return run(cmd, r, args)
	}
	return c
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// refused is an answer that is no success.
type refused struct {
	status int
	detail string
}

func (e *refused) Error() string {
	if e.status == http.StatusUnauthorized {
		return fmt.Sprintf("%s (status %d; is the key right?)", e.detail, e.status)
	}
	return e.detail
}

func statusIs(err error, statuses ...int) bool {
	var e *refused
	if !errors.As(err, &e) {
		return false
	}
	for _, s := range statuses {
		if e.status == s {
			return true
		}
	}
	return false
}

// send makes one request. The caller closes the body of what it gives.
func (r *remote) send(ctx context.Context, method, path, contentType string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+r.key)
	req.Header.Set("Accept", "application/json, text/event-stream")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("the server at %s does not answer: %w", r.base, err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var answer struct {
		Detail any `json:"detail"`
	}
	e := &refused{status: resp.StatusCode, detail: "the server answers with " + resp.Status}
	if json.Unmarshal(raw, &answer) == nil {
		switch d := answer.Detail.(type) {
		case string:
			e.detail = d
		case []any:
			text, _ := json.Marshal(d)
			e.detail = string(text)
		}
	}
	return nil, e
}

// call sends in as JSON, unless it is nil, and reads the answer into out.
func (r *remote) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	resp, err := r.send(ctx, method, path, "application/json", body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("the answer of the server cannot be read (is %s a Portico?): %w", r.base, err)
	}
	return nil
}

// uploaded is what the server says of a file.
type uploaded struct {
	ID   string `json:"id"`
	Data struct {
		Status   string   `json:"status"`
		Error    string   `json:"error"`
		Warnings []string `json:"warnings"`
	} `json:"data"`
}

// upload streams a file with its metadata; it is never whole in memory.
func (r *remote) upload(ctx context.Context, name string, content io.Reader, metadata any) (*uploaded, error) {
	meta, err := json.Marshal(metadata)
	if err != nil {
		return nil, err
	}
	pr, pw := io.Pipe()
	form := multipart.NewWriter(pw)
	go func() {
		err := form.WriteField("metadata", string(meta))
		var part io.Writer
		if err == nil {
			part, err = form.CreateFormFile("file", name)
		}
		if err == nil {
			_, err = io.Copy(part, content)
		}
		if err == nil {
			err = form.Close()
		}
		_ = pw.CloseWithError(err) // a pipe's end always closes
	}()
	defer pr.Close()
	resp, err := r.send(ctx, http.MethodPost, "/api/v1/files/", form.FormDataContentType(), pr)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	f := new(uploaded)
	return f, json.NewDecoder(resp.Body).Decode(f)
}
