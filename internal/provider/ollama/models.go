package ollama

import (
	"context"
	"time"

	"portico/internal/errdefs"
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// Models lists the models of /api/tags and says which of them /api/ps knows
// as loaded. Both are asked at once; without an answer of /api/ps nothing
// counts as loaded.
func (c *Client) Models(ctx context.Context) ([]provider.Entry, error) {
	ctx, cancel := context.WithCancel(ctx)
	loaded := make(chan map[string]int64, 1)
	go func() { loaded <- c.loaded(ctx) }()

	entries, err := c.tags(ctx)
	if err != nil {
		cancel()
	}
	until := <-loaded
	cancel()
	if err != nil {
		return nil, err
	}
	for i := range entries {
		e := &entries[i]
		e.ExpiresAt, e.Loaded = until[e.ID]
	}
	return entries, nil
}

func (c *Client) tags(ctx context.Context) ([]provider.Entry, error) {
	raw, err := c.ask(ctx, c.request("GET", "/api/tags", nil, provider.Caller{}))
	if err != nil {
		return nil, err
	}
	return readTags(raw)
}

// readTags reads an answer of /api/tags.
func readTags(raw []byte) ([]provider.Entry, error) {
	var d rawjson.Doc
	if err := d.Parse(raw, rawjson.Limits{}); err != nil {
		return nil, malformed(err)
	}
	var entries []provider.Entry
	list := d.Get("models")
	if rawjson.IsNull(list) {
		return nil, nil
	}
	ok := rawjson.Elements(list, func(value []byte) {
		if id := modelID(value); id != "" {
			entries = append(entries, provider.Entry{ID: id, Raw: value})
		}
	})
	if !ok {
		return nil, malformed(nil)
	}
	return entries, nil
}

// modelID is the name of an entry of /api/tags or /api/ps.
func modelID(entry []byte) string {
	id, _ := rawjson.Unquote(rawjson.Lookup(entry, "model"))
	if id == "" {
		id, _ = rawjson.Unquote(rawjson.Lookup(entry, "name"))
	}
	return id
}

// loaded asks which models are in memory, and until when, in seconds.
func (c *Client) loaded(ctx context.Context) map[string]int64 {
	raw, err := c.ask(ctx, c.request("GET", "/api/ps", nil, provider.Caller{}))
	if err != nil {
		return nil
	}
	var d rawjson.Doc
	if d.Parse(raw, rawjson.Limits{}) != nil {
		return nil
	}
	until := make(map[string]int64)
	rawjson.Elements(d.Get("models"), func(value []byte) {
		text, _ := rawjson.Unquote(rawjson.Lookup(value, "expires_at"))
		at, err := time.Parse(time.RFC3339Nano, text)
		if id := modelID(value); id != "" && err == nil {
			until[id] = at.Unix()
		}
	})
	return until
}

// Version asks which Ollama answers.
func (c *Client) Version(ctx context.Context) (string, error) {
	raw, err := c.ask(ctx, c.request("GET", "/api/version", nil, provider.Caller{}))
	if err != nil {
		return "", err
	}
	var d rawjson.Doc
	if err := d.Parse(raw, rawjson.Limits{}); err != nil {
		return "", malformed(err)
	}
	version, ok := d.String("version")
	if !ok {
		return "", errdefs.New(errdefs.Upstream, "What answers at this address does not say an Ollama version. Check the address.")
	}
	return version, nil
}
