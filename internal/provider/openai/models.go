package openai

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"

	"portico/internal/errdefs"
	"portico/internal/hop"
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// Models asks for the list, and takes it as {"data":[…]}, {"models":[…]} or a
// bare list. What has no id is skipped.
func (c *Client) Models(ctx context.Context) ([]provider.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opt.ListTimeout)
	defer cancel()
	k := c.call()
	defer k.release()
	k.req = hop.Request{Method: http.MethodGet, Path: "/models", Accept: "application/json", Header: c.headers.For(provider.Caller{})}
	resp, err := c.answer(ctx, k)
	if err != nil {
		return nil, err
	}
	// Entries outlive the call, so they get a buffer of their own.
	body, err := resp.ReadAll(nil, c.opt.MaxModels)
	if err != nil {
		return nil, provider.CallFailed(err)
	}
	list, ok := listOf(body)
	if !ok {
		return nil, errdefs.New(errdefs.Upstream, "The model provider's list of models is not JSON of a known form. Check the connection's address; it often ends in /v1.")
	}
	var entries []provider.Entry
	rawjson.Elements(list, func(value []byte) {
		id, ok := rawjson.Unquote(rawjson.Lookup(value, "id"))
		if ok && id != "" && !(c.official && noChat(id)) {
			entries = append(entries, provider.Entry{ID: id, Raw: value})
		}
	})
	return entries, nil
}

func listOf(body []byte) ([]byte, bool) {
	d := rawjson.Get()
	defer rawjson.Put(d)
	switch err := d.Parse(body, limitsOfAnswer); {
	case err == nil:
	case errors.Is(err, rawjson.ErrNotObject):
		body = bytes.TrimSpace(body)
		return body, rawjson.IsArray(body)
	default:
		return nil, false
	}
	for _, key := range [...]string{"data", "models"} {
		if list := d.Get(key); rawjson.IsArray(list) {
			return list, true
		}
	}
	return nil, false
}

// noChat reports whether a model of the official list is of another trade.
func noChat(id string) bool {
	for _, part := range [...]string{"babbage", "dall-e", "davinci", "embedding", "tts", "whisper"} {
		if strings.Contains(id, part) {
			return true
		}
	}
	return false
}
