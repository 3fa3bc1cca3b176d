package model_test

import (
	"encoding/json"
	"testing"

	"portico/internal/errdefs"
	"portico/internal/model"
)

// An id names one model to everybody who reads it, and commands no terminal.
func TestModelIdsDoNotDeceive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, model.Config{}, nil).start()
	author := model.Author{Principal: admin}
	for id, ok := range map[string]bool{
		"org/model:7b": true, "modèle": true, "": false, "a b": false, "a\nb": false, "a\x00b": false, "\x1b[31m": false,
		"a\u202eb": false, "a\u2028b": false, "a\u200bb": false, "a\u00a0b": false, "\xff": false,
	} {
		_, err := w.reg.Create(t.Context(), author, model.Draft{ID: id, Name: "n", Params: json.RawMessage("{}"), Meta: json.RawMessage("{}")})
		if ok != (err == nil) || err != nil && !errdefs.Is(err, errdefs.Invalid) {
			t.Errorf("%q: %v", id, err)
		}
	}
}
