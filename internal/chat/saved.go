package chat

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"portico/internal/access"
	"portico/internal/conversation"
	"portico/internal/errdefs"
	"portico/internal/provider"
	"portico/internal/rawjson"
	"portico/internal/relay"
)

// Keeper keeps the turns of saved chats; *conversation.Service is one.
type Keeper interface {
	Recall(ctx context.Context, who *access.Principal, ask conversation.Ask) (*conversation.Turn, error)
}

// ChatHeader tells the id of a chat that a request began.
const ChatHeader = "Portico-Chat-Id"

const (
	maxAnswer = 4 << 20          // bytes of an answer that are kept
	keepTime  = 10 * time.Second // for keeping it
)

var errStopped = errdefs.New(errdefs.Conflict, "The answer was stopped.")

// saving is what a turn in a saved chat has beyond others. A stream takes it
// along.
type saving struct {
	s       *Service
	turn    *conversation.Turn
	task    string // "" until it begins
	ctx     context.Context
	content strings.Builder
	reason  strings.Builder
	sources []byte
	failure string // what the stream itself told of a failure
	clipped bool
}

// recall finds the saved chat that the body names, and takes the messages from
// there. Without a chat_id it costs nothing; ids of chats that are not saved
// touch nothing.
func (t *turn) recall() error {
	if t.s.cfg.Keeper == nil {
		return nil
	}
	id, _ := t.doc.String("chat_id")
	parent := t.doc.Get("parent_id")
	if id == "" && string(parent) != "null" || strings.HasPrefix(id, "local:") || strings.HasPrefix(id, "temporary:") {
		return nil
	}
	ask := conversation.Ask{ChatID: id, Question: bytes.Clone(t.doc.Get("user_message")), Messages: bytes.Clone(t.doc.Get("messages"))}
	ask.FolderID, _ = t.doc.String("folder_id")
	ask.Model, _ = t.doc.String("model")
	for _, key := range []string{"assistant_message_id", "id"} {
		if given, ok := t.doc.String(key); ok {
			ask.AnswerID = given
		}
	}
	if text, ok := rawjson.Unquote(parent); ok {
		ask.ParentID = &text
	}
	kept, err := t.s.cfg.Keeper.Recall(t.r.Context(), t.Who, ask)
	if err != nil {
		return err
	}
	t.saved = &saving{s: t.s, turn: kept}
	return t.say(kept.Messages)
}

// say replaces the messages of the body.
func (t *turn) say(messages []byte) error {
	t.raw = t.doc.Append(make([]byte, 0, len(t.raw)+len(messages)+16), nil, []rawjson.Set{{Key: "messages", Value: messages}})
	return parse(&t.doc, t.raw)
}

// begin keeps the question, before a model is asked.
func (t *turn) begin() error {
	if t.saved == nil {
		return nil
	}
	if t.cites != nil {
		t.saved.sources = bytes.Clone(t.cites.sources())
	}
	if err := t.saved.turn.Begin(t.r.Context()); err != nil {
		return err
	}
	t.saved.task = t.saved.turn.NewID()
	t.w.Header()[ChatHeader] = []string{t.saved.turn.ChatID()}
	return nil
}

// under makes the context of the call one that a task can end.
func (v *saving) under(ctx context.Context) context.Context {
	var stop context.CancelCauseFunc
	v.ctx, stop = context.WithCancelCause(ctx)
	v.s.tasks.begin(Task{ID: v.task, ChatID: v.turn.ChatID()}, stop)
	return v.ctx
}

// stopped reports whether somebody ended the task.
func (v *saving) stopped() bool { return v.ctx != nil && context.Cause(v.ctx) == errStopped }

// whole takes an answer that was not streamed.
func (v *saving) whole(reply *provider.Reply) {
	rawjson.Elements(rawjson.Lookup(reply.Body, "choices"), func(choice []byte) {
		if v.content.Len()+v.reason.Len() == 0 {
			v.take(rawjson.Lookup(choice, "message"))
		}
	})
	if reply.Status >= 300 {
		v.failure = "The model's provider failed."
	}
}

// take adds what a message or a delta says.
func (v *saving) take(said []byte) {
	v.add(&v.content, rawjson.Lookup(said, "content"))
	v.add(&v.reason, rawjson.Lookup(said, "reasoning_content"))
	v.add(&v.reason, rawjson.Lookup(said, "reasoning"))
}

func (v *saving) add(to *strings.Builder, quoted []byte) {
	text, ok := rawjson.Unquote(quoted)
	if !ok {
		return
	}
	if to.Len()+len(text) > maxAnswer {
		v.clipped = true
		return
	}
	to.WriteString(text)
}

// end keeps what was produced, however it ended. The request may be over: the
// context is the server's own.
func (v *saving) end(cost provider.Usage, err error) {
	if v.task == "" {
		return
	}
	a := conversation.Answer{
		Content: v.content.String(), Reasoning: v.reason.String(), Prompt: cost.Prompt, Completion: cost.Completion, Sources: v.sources, Error: v.failure,
	}
	switch {
	case v.stopped():
		a.Interrupted, a.Error = "stopped", ""
	case errors.Is(err, relay.ErrClientGone), errors.Is(err, context.Canceled):
		a.Interrupted = "client"
	case err != nil:
		a.Interrupted, a.Error = "error", errdefs.From(err).Detail
	case v.failure != "":
		a.Interrupted = "error"
	case v.clipped:
		a.Interrupted = "length"
	}
	ctx, cancel := context.WithTimeout(context.Background(), keepTime)
	defer cancel()
	if err := v.turn.End(ctx, a); err != nil {
		v.s.log().Warn("an answer could not be kept in its chat", "chat", v.turn.ChatID(), "err", err)
	}
	v.s.tasks.end(v.task)
}

// tap is a stream whose text is kept beside: the bytes pass as they are.
type tap struct {
	provider.Stream
	v *saving
}

// Next implements provider.Stream. A stream that was stopped ends well.
func (p *tap) Next() ([]byte, error) {
	block, err := p.Stream.Next()
	if err != nil && err != io.EOF && p.v.stopped() {
		return []byte("data: [DONE]\n\n"), io.EOF
	}
	p.v.read(block)
	return block, err
}

var dataField = []byte("data:")

// read takes what the events of a block say.
func (v *saving) read(block []byte) {
	for len(block) > 0 {
		line, rest, _ := bytes.Cut(block, []byte{'\n'})
		block = rest
		event, ok := bytes.CutPrefix(line, dataField)
		if event = bytes.TrimSpace(event); !ok || !rawjson.IsObject(event) {
			continue
		}
		first := true
		rawjson.Elements(rawjson.Lookup(event, "choices"), func(choice []byte) {
			if first {
				v.take(rawjson.Lookup(choice, "delta"))
			}
			first = false
		})
		if rawjson.IsObject(rawjson.Lookup(event, "error")) {
			v.failure = "The model's provider broke off its answer."
		}
	}
}

// Wait implements provider.Waiter.
func (p *tap) Wait() error {
	if w, ok := p.Stream.(provider.Waiter); ok {
		return w.Wait()
	}
	return nil
}

// WaitUntil implements relay.PatientWaiter.
func (p *tap) WaitUntil(until time.Time) (bool, error) {
	if w, ok := p.Stream.(relay.PatientWaiter); ok {
		return w.WaitUntil(until)
	}
	return true, nil
}

// sources is the list of them as the client is told it, or empty.
func (c *citations) sources() []byte {
	all := append(append([]byte{'{'}, c.members...), '}')
	return rawjson.Lookup(all, "sources")
}
