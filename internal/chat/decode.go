package chat

import (
	"bytes"

	"portico/internal/errdefs"
	"portico/internal/rawjson"
)

// decode reads the body and checks everything that needs no knowledge of the
// model.
func (t *turn) decode() error {
	var err error
	if t.raw, err = readBody(t.raw, t.r, t.s.cfg.MaxBody); err != nil {
		return err
	}
	if err := parse(&t.doc, t.raw); err != nil {
		return err
	}
	if err := t.recall(); err != nil {
		return err
	}
	messages := t.doc.Get("messages")
	if !rawjson.IsArray(messages) {
		return errdefs.New(errdefs.Invalid, "The request has no messages: send them as a list under \"messages\".")
	}
	return t.s.cfg.bound(&t.doc, messages)
}

// bound holds the lists of a request to their limits.
func (c *Config) bound(doc *rawjson.Doc, messages []byte) error {
	if len(bytes.TrimSpace(messages[1:len(messages)-1])) == 0 {
		return errdefs.New(errdefs.Invalid, "The list of messages is empty: send at least one.")
	}
	if doc.Longest <= min(c.Messages, c.Parts, c.Tools) {
		return nil
	}
	count, widest := 0, 0
	rawjson.Elements(messages, func(message []byte) {
		count++
		if doc.Longest > c.Parts {
			widest = max(widest, elements(rawjson.Lookup(message, "content")))
		}
	})
	switch {
	case count > c.Messages:
		return errdefs.Newf(errdefs.Invalid, "The request has %d messages; %d are allowed.", count, c.Messages)
	case widest > c.Parts:
		return errdefs.Newf(errdefs.Invalid, "A message has %d parts; %d are allowed.", widest, c.Parts)
	}
	if n := elements(doc.Get("tools")); n > c.Tools {
		return errdefs.Newf(errdefs.Invalid, "The request has %d tools; %d are allowed.", n, c.Tools)
	}
	return nil
}

func elements(raw []byte) int {
	n := 0
	if rawjson.IsArray(raw) {
		rawjson.Elements(raw, func([]byte) { n++ })
	}
	return n
}
