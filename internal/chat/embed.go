package chat

import (
	"net/http"

	"portico/internal/errdefs"
	"portico/internal/provider"
	"portico/internal/rawjson"
)

// Embed answers one request of an embeddings route. A model that is not there,
// or not theirs, is 400 as for chats: the contract's own answer is a bare 500.
func (s *Service) Embed(w http.ResponseWriter, r *http.Request, c Call) error {
	t := s.turns.Get().(*turn)
	t.s, t.w, t.r, t.Call = s, w, r, c
	defer t.end()
	err := t.embed()
	t.record(err)
	return err
}

func (t *turn) embed() error {
	var err error
	if t.raw, err = readBody(t.raw, t.r, t.s.cfg.MaxBody); err != nil {
		return err
	}
	if err := parse(&t.doc, t.raw); err != nil {
		return err
	}
	if rawjson.IsNull(t.doc.Get("input")) {
		return errdefs.New(errdefs.Invalid, "There is nothing to embed: send a text or a list of texts under \"input\".")
	}
	if err := t.resolve(); err != nil {
		return err
	}
	if err := t.askEmbed(); err != nil {
		return err
	}
	err = writeWhole(t.w, t.reply, t.s.cfg.WriteTimeout)
	t.backend(nil)
	return err
}

func (t *turn) askEmbed() error {
	req := provider.EmbedRequest{Doc: &t.doc, Model: t.target.Upstream, Caller: callerOf(t.Who)}
	return t.try(func(b *provider.Backend) (*provider.Reply, error) { return b.Embed(t.r.Context(), &req) })
}
