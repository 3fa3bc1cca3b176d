package provider

import (
	"bytes"

	"portico/internal/errdefs"
	"portico/internal/rawjson"
)

// alternatives are the members in which some upstreams take further models, to
// be asked when the first fails: gateways, which stand before many models.
var alternatives = [...][]byte{
	[]byte("models"), []byte("fallbacks"), []byte("context_window_fallbacks"), []byte("content_policy_fallbacks"),
}

// NamesAlternatives reports whether a key, in whatever case, is one in which
// an upstream may look for further models.
func NamesAlternatives(key []byte) bool {
	for _, name := range alternatives {
		if len(key) >= len(name) && bytes.EqualFold(key, name) {
			return true
		}
	}
	return false
}

// errHidden refuses further models where they could not be judged one by one.
var errHidden = errdefs.New(errdefs.Invalid, "Further models belong at the top of the body, not under \"params\".")

// Alternatives calls may for every further model that a body names, so that
// nobody reaches by a fallback what they may not use by name. It fails with
// what may fails with, and where it cannot tell which models are meant.
func Alternatives(doc *rawjson.Doc, may func(id string) error) error {
	for i := range doc.Members {
		m := &doc.Members[i]
		if string(m.Key) == "params" && (hides(m.Value) || hides(rawjson.Lookup(m.Value, "custom_params"))) {
			return errHidden
		}
		if m.Shadowed || !NamesAlternatives(m.Key) || rawjson.IsNull(m.Value) {
			continue
		}
		if err := eachAlternative(m, may); err != nil {
			return err
		}
	}
	return nil
}

func eachAlternative(m *rawjson.Member, may func(id string) error) error {
	unclear := errdefs.Newf(errdefs.Invalid, "%q must be a list of the names of models, or of objects with a \"model\".", m.Key)
	if !rawjson.IsArray(m.Value) {
		return unclear
	}
	var failed error
	rawjson.Elements(m.Value, func(v []byte) {
		if failed != nil {
			return
		}
		if rawjson.IsObject(v) {
			v = rawjson.Lookup(v, "model")
		}
		id, ok := rawjson.Unquote(v)
		if !ok {
			failed = unclear
			return
		}
		failed = may(id)
	})
	return failed
}

// hides reports whether an object names further models.
func hides(object []byte) (found bool) {
	if rawjson.IsObject(object) {
		rawjson.Each(object, func(key, _ []byte) { found = found || NamesAlternatives(key) })
	}
	return found
}
