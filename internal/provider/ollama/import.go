package ollama

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"

	"portico/internal/errdefs"
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// Import sends a file as a blob, which Ollama names by its SHA-256, and makes
// a model of it unless model is empty.
func (c *Client) Import(ctx context.Context, file io.ReadSeeker, name, model string, report func(sent int64)) (string, error) {
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return "", errdefs.From(err)
	}
	digest := "sha256:" + hex.EncodeToString(sum.Sum(nil))
	reply, err := c.Forward(ctx, &provider.ForwardRequest{
		Method: "POST", Path: "/api/blobs/" + digest, Upload: &counted{file, 0, report}, Length: size,
	})
	if err != nil {
		return "", err
	}
	release(reply)
	if model == "" {
		return digest, nil
	}
	body := append([]byte(`{"stream":false,"model":`), rawjson.AppendString(nil, model)...)
	body = append(append(body, `,"files":{`...), rawjson.AppendString(nil, name)...)
	body = append(append(body, ':'), rawjson.AppendString(nil, digest)...)
	reply, err = c.Forward(ctx, &provider.ForwardRequest{Method: "POST", Path: "/api/create", Body: append(body, '}', '}')})
	if err != nil {
		return "", err
	}
	defer release(reply)
	// Ollama tells a failure of this call in an answer of status 200, too.
	if text := rawjson.Lookup(reply.Body, "error"); text != nil {
		return "", c.failed(text)
	}
	return digest, nil
}

func release(r *provider.Reply) {
	if r.Stream != nil {
		_ = r.Stream.Close() // nothing is waited for
	}
	if r.Release != nil {
		r.Release()
	}
}

// counted reports how much was read.
type counted struct {
	r      io.Reader
	n      int64
	report func(int64)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.report != nil && n > 0 {
		c.report(c.n)
	}
	return n, err
}
