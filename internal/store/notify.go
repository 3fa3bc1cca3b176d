package store

import (
	"encoding/json"

	"portico/internal/event"
)

// payload is what one server tells the others: who speaks, and what changed.
type payload struct {
	Origin string        `json:"o"`
	Events []event.Event `json:"e"`
}

const (
	maxPayload  = 7900 // PostgreSQL takes less than 8000 bytes
	maxPayloads = 32   // more than that at once is cheaper as a Reset
)

// payloads packs events into as few notifications as fit.
func payloads(origin string, events []event.Event) []string {
	var all []string
	reset := pack(origin, []event.Event{{Topic: event.Reset}})
	for len(events) > 0 {
		n := fitting(origin, events)
		if n == 0 || len(all) == maxPayloads {
			return []string{reset}
		}
		all = append(all, pack(origin, events[:n]))
		events = events[n:]
	}
	return all
}

// fitting is how many of the events go into one payload.
func fitting(origin string, events []event.Event) int {
	size := len(pack(origin, nil))
	for i, e := range events {
		one, _ := json.Marshal(e) // strings only: cannot fail
		if size += len(one) + 1; size > maxPayload {
			return i
		}
	}
	return len(events)
}

func pack(origin string, events []event.Event) string {
	text, _ := json.Marshal(payload{origin, events}) // strings only: cannot fail
	return string(text)
}

// unpack gives the events of a payload that others sent. What cannot be read
// comes from a newer server, and means that anything may have changed.
func unpack(origin, text string) []event.Event {
	var p payload
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return []event.Event{{Topic: event.Reset}}
	}
	if p.Origin == origin {
		return nil
	}
	return p.Events
}
