package chat

import (
	"portico/internal/errdefs"
	"portico/internal/provider"
)

// errNoModel is the answer of /api/chat/completions for a model that is not
// there and for one that is not theirs alike.
var errNoModel = errdefs.New(errdefs.Invalid, "Model not found")

// resolve finds the model, if this caller may use it.
func (t *turn) resolve() error {
	id, _ := t.doc.String("model")
	target, err := t.s.models.Resolve(t.r.Context(), t.Who, id)
	if err != nil {
		return t.refuse(id, err)
	}
	t.target = target
	t.req.Requested = id
	return provider.Alternatives(&t.doc, t.may)
}

// may judges a further model that the upstream may be asked for.
func (t *turn) may(id string) error {
	if _, err := t.s.models.Resolve(t.r.Context(), t.Who, t.target.Beside(id)); err != nil {
		return t.refuse(id, err)
	}
	return nil
}

func (t *turn) refuse(id string, err error) error {
	if t.Refuse != nil {
		return t.Refuse(id, err)
	}
	if errdefs.Is(err, errdefs.NotFound) || errdefs.Is(err, errdefs.Forbidden) {
		return errNoModel
	}
	return err
}
