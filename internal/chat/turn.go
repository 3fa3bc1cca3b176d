package chat

import (
	"context"
	"fmt"
	"net/http"

	"portico/internal/model"
	"portico/internal/provider"
	"portico/internal/rawjson"
	"portico/internal/relay"
	"portico/internal/usage"
)

// stage is one step of a turn.
type stage struct {
	name string // in the trail of an error, for the log
	run  func(*turn) error
}

// turn is one request on its way through the stages. It is used again when
// its handler returns, so a stream, which may live longer, takes with it only
// what a delivery holds.
type turn struct {
	Call
	s *Service
	w http.ResponseWriter
	r *http.Request

	raw []byte      // the body
	doc rawjson.Doc // over raw

	target *model.Target
	cites  *citations // nil unless files were asked for
	saved  *saving    // nil unless the turn belongs into a saved chat
	req    provider.ChatRequest

	ctx   context.Context // of the upstream call
	life  *relay.Life     // ctx, when a stream was asked for
	leave context.CancelFunc

	backend func(error) // ends what Begin began
	reply   *provider.Reply
	kept    bool // the stream lives on and records itself
}

func (t *turn) run() error {
	for i := range t.s.stages {
		if err := t.s.stages[i].run(t); err != nil {
			t.record(err)
			return fmt.Errorf("chat.%s: %w", t.s.stages[i].name, err)
		}
	}
	if !t.kept {
		t.record(nil)
	}
	return nil
}

// record counts a turn that found its model.
func (t *turn) record(err error) {
	if t.target == nil || t.kept {
		return
	}
	var cost provider.Usage
	if t.reply != nil {
		cost = t.reply.Usage
	}
	t.s.usage.Add(t.usageKey(), err != nil, cost.Prompt, cost.Completion)
	if t.saved != nil {
		if t.reply != nil {
			t.saved.whole(t.reply)
		}
		t.saved.end(cost, err)
	}
}

func (t *turn) usageKey() usage.Key {
	k := usage.Key{Model: t.target.ID}
	if t.Who != nil {
		k.UserID, k.KeyID = t.Who.UserID, t.Who.KeyID
	}
	return k
}

// end gives everything back that the turn held.
func (t *turn) end() {
	if t.leave != nil {
		t.leave()
	}
	if t.reply != nil && !t.kept && t.reply.Release != nil {
		t.reply.Release()
	}
	raw, doc, s := reusable(t.raw), t.doc, t.s
	*t = turn{raw: raw, doc: doc}
	t.doc.Reset()
	s.turns.Put(t)
}
