// Package event tells the rooms of this process, and of other servers on the
// same database, that something changed, so that what they hold in memory is
// dropped at once. It carries names of things, never their content.
package event

import (
	"slices"
	"sync"
)

// Topic is the kind of thing that changed.
type Topic string

// The topics. Reset means "you may have missed some: drop everything".
const (
	User    Topic = "user"    // ID is a user id: role, name, groups, session stamp, deletion
	Key     Topic = "key"     // ID is the key's hash in hex: revoked, changed
	Group   Topic = "group"   // ID is a group id
	Grant   Topic = "grant"   // ID is "kind/resource id"
	Model   Topic = "model"   // ID is a model id
	Setting Topic = "setting" // ID is the dotted key
	Chat    Topic = "chat"    // ID is a chat id
	File    Topic = "file"    // ID is a file id
	Set     Topic = "set"     // ID is the number of a set of chunks
	// Knowledge is a collection: its row, its files, its grants' holder.
	Knowledge Topic = "knowledge" // ID is a collection's id
	Reset     Topic = "reset"
)

// Event says that one thing changed.
type Event struct {
	Topic Topic  `json:"t"`
	ID    string `json:"i,omitempty"`
}

// Bus delivers events to subscribers, in order, in the goroutine of the
// publisher: when Publish returns, every subscriber has seen the event.
// The zero Bus is ready to use.
type Bus struct {
	mu   sync.Mutex
	next int
	subs []subscriber
}

type subscriber struct {
	id int
	fn func(Event)
}

// Subscribe calls fn for every event until cancel is called. fn must be quick
// and must not publish.
func (b *Bus) Subscribe(fn func(Event)) (cancel func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	id := b.next
	b.subs = append(slices.Clip(b.subs), subscriber{id, fn})
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.subs = slices.DeleteFunc(slices.Clone(b.subs), func(s subscriber) bool { return s.id == id })
	}
}

// Publish delivers e.
func (b *Bus) Publish(e Event) {
	b.mu.Lock()
	subs := b.subs
	b.mu.Unlock()
	for _, s := range subs {
		s.fn(e)
	}
}
