package model

import (
	"bytes"
	"encoding/json"
	"strconv"

	"portico/internal/provider"
	"portico/internal/rawjson"
)

// base is a model as the connections have it, before any row is laid over it.
type base struct {
	id, name, upstream string
	kind               provider.Kind
	connType           string
	created            int64
	loaded             bool
	tags               []string
	backends           []*provider.Backend
	sources            []source
	// raw is what the upstream says, with our additions: the member "openai"
	// or "ollama" of the API's entry, and the entry of /ollama/api/tags.
	raw []byte
	// rest is the entry after id and name, each member with a comma in front.
	rest []byte
}

// source is one connection's entry of a model, by which an unchanged model is
// known.
type source struct {
	c     *conn
	entry provider.Entry
}

func (b *base) madeOf(sources []source) bool {
	if b == nil || len(b.sources) != len(sources) {
		return false
	}
	for i := range sources {
		x, y := &b.sources[i], &sources[i]
		if x.c != y.c || x.entry.Loaded != y.entry.Loaded || x.entry.ExpiresAt != y.entry.ExpiresAt || !bytes.Equal(x.entry.Raw, y.entry.Raw) {
			return false
		}
	}
	return true
}

func (b *base) ownedBy() string { return string(b.kind) }

// maxEntry bounds what one model may say about itself; of a longer entry only
// the id is kept.
const maxEntry = 64 << 10

// gather groups the entries of all connections by the id under which they are
// listed, in the order of the list: OpenAI connections first, of which the
// first with an id has it; then Ollama's, which share a model; an id of both
// kinds is Ollama's, in the place of the other.
func gather(conns []*conn) (ids []string, byID map[string][]source) {
	byID = map[string][]source{}
	for _, c := range conns {
		if !c.enabled || c.broken != nil {
			continue
		}
		entries := c.entries
		if c.fixed() {
			entries = make([]provider.Entry, len(c.backend.Config.ModelIDs))
			for i, id := range c.backend.Config.ModelIDs {
				entries[i] = provider.Entry{ID: id}
			}
		}
		mine := map[string]bool{}
		for _, e := range entries {
			if c.backend.Kind == provider.Ollama && !allowed(c.backend.Config.ModelIDs, e.ID) {
				continue
			}
			id := e.ID
			if p := c.backend.Config.PrefixID; p != "" {
				id = p + "." + id
			}
			if id == "" || len(id) > maxID || mine[id] {
				continue
			}
			mine[id] = true
			have, known := byID[id]
			switch {
			case !known:
				ids = append(ids, id)
				byID[id] = []source{{c, e}}
			case c.backend.Kind == provider.OpenAI:
			case have[0].c.backend.Kind == provider.OpenAI:
				byID[id] = []source{{c, e}}
			default:
				byID[id] = append(have, source{c, e})
			}
		}
	}
	return ids, byID
}

// allowed applies the allow-list of an Ollama connection.
func allowed(list []string, id string) bool {
	if len(list) == 0 {
		return true
	}
	for _, name := range list {
		if name == id || name+":latest" == id {
			return true
		}
	}
	return false
}

func newBase(id string, sources []source) *base {
	first := sources[0]
	b := &base{
		id: id, name: id, upstream: first.entry.ID, kind: first.c.backend.Kind, sources: sources,
		connType: first.c.backend.Config.ConnectionType,
	}
	for _, s := range sources {
		b.backends = append(b.backends, s.c.backend)
		b.loaded = b.loaded || s.entry.Loaded
	}
	for _, raw := range first.c.backend.Config.Tags {
		b.tags = appendTag(b.tags, raw)
	}
	doc := rawjson.Get()
	defer rawjson.Put(doc)
	if raw := first.entry.Raw; len(raw) == 0 || len(raw) > maxEntry || doc.Parse(raw, rawjson.Limits{}) != nil {
		minimal := rawjson.AppendString([]byte(`{"id":`), first.entry.ID)
		if b.kind == provider.Ollama {
			minimal = rawjson.AppendString([]byte(`{"model":`), first.entry.ID)
		}
		// An id is at most maxID long, so this cannot fail.
		_ = doc.Parse(append(minimal, '}'), rawjson.Limits{})
	}
	if name, ok := doc.String("name"); ok && name != "" {
		b.name = name
	}
	switch b.kind {
	case provider.Ollama:
		b.ollama(doc)
	case provider.Builtin:
		b.connType = "internal"
		b.rest = append(b.appendHead(nil), `,"pipe":{"type":"pipe"},"connection_type":"internal"`...)
	default:
		b.openai(doc, first)
	}
	return b
}

// ours are the members of an OpenAI entry that are the server's to say.
func ours(key []byte) bool {
	switch string(key) {
	case "id", "name", "object", "created", "owned_by", "openai", "ollama", "connection_type", "provider", "urlIdx",
		"tags", "info", "actions", "filters", "preset", "pipe", "arena", "direct", "loaded", "has_user_valves":
		return true
	}
	return false
}

func (b *base) openai(doc *rawjson.Doc, s source) {
	if b.connType == "" {
		b.connType = "external"
	}
	if created, ok := doc.Int("created"); ok {
		b.created = created
	}
	set := []rawjson.Set{{Key: "id", Value: text(b.id)}, {Key: "connection_type", Value: text(b.connType)}}
	if len(b.tags) > 0 {
		set = append(set, rawjson.Set{Key: "tags", Value: appendTags(nil, b.tags)})
	}
	b.raw = doc.Append(nil, nil, set)
	r := b.appendHead(nil)
	r = append(r, `,"openai":`...)
	r = append(r, b.raw...)
	r = append(r, `,"connection_type":`...)
	r = rawjson.AppendString(r, b.connType)
	r = append(r, `,"provider":"","urlIdx":`...)
	r = strconv.AppendInt(r, int64(s.c.backend.Index), 10)
	if loaded, ok := doc.Bool("loaded"); ok {
		b.loaded = loaded
		r = append(r, `,"loaded":`...)
		r = strconv.AppendBool(r, loaded)
	}
	if spread := doc.Append(nil, ours, nil); len(spread) > 2 {
		r = append(r, ',')
		r = append(r, spread[1:len(spread)-1]...)
	}
	b.rest = r
}

func (b *base) ollama(doc *rawjson.Doc) {
	if b.connType == "" {
		b.connType = "local"
	}
	urls := []byte{'['}
	var expires int64
	for i, s := range b.sources {
		if i > 0 {
			urls = append(urls, ',')
		}
		urls = strconv.AppendInt(urls, int64(s.c.backend.Index), 10)
		expires = max(expires, s.entry.ExpiresAt)
	}
	set := []rawjson.Set{
		{Key: "model", Value: text(b.id)},
		{Key: "connection_type", Value: text(b.connType)},
		{Key: "urls", Value: append(urls, ']')},
	}
	if doc.Get("name") == nil {
		set = append(set, rawjson.Set{Key: "name", Value: text(b.id)})
	}
	if len(b.tags) > 0 {
		set = append(set, rawjson.Set{Key: "tags", Value: appendTags(nil, b.tags)})
	}
	if b.loaded {
		set = append(set, rawjson.Set{Key: "expires_at", Value: strconv.AppendInt(nil, expires, 10)})
	}
	b.raw = doc.Append(nil, nil, set)
	r := b.appendHead(nil)
	r = append(r, `,"ollama":`...)
	r = append(r, b.raw...)
	r = append(r, `,"loaded":`...)
	r = strconv.AppendBool(r, b.loaded)
	r = append(r, `,"connection_type":`...)
	b.rest = rawjson.AppendString(r, b.connType)
}

// appendHead writes what strict clients of the OpenAI API insist on.
func (b *base) appendHead(dst []byte) []byte {
	dst = append(dst, `,"object":"model","created":`...)
	dst = strconv.AppendInt(dst, b.created, 10)
	dst = append(dst, `,"owned_by":`...)
	return rawjson.AppendString(dst, b.ownedBy())
}

func text(s string) []byte { return rawjson.AppendString(nil, s) }

// appendTag reads "name" or {"name":"name"}.
func appendTag(tags []string, raw json.RawMessage) []string {
	name, ok := rawjson.Unquote(raw)
	if !ok {
		name, _ = rawjson.Unquote(rawjson.Lookup(raw, "name"))
	}
	if name == "" {
		return tags
	}
	for _, t := range tags {
		if t == name {
			return tags
		}
	}
	return append(tags, name)
}

func appendTags(dst []byte, tags []string) []byte {
	dst = append(dst, '[')
	for i, t := range tags {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"name":`...)
		dst = rawjson.AppendString(dst, t)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}
