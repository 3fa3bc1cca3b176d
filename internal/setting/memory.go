package setting

import (
	"context"
	"maps"
	"sync"
)

// Memory is a Store that forgets when the process ends, for tests and for tools
// that have no database. The zero Memory is empty and ready to use. It tells
// nobody of changes.
type Memory struct {
	mu     sync.Mutex
	values map[string][]byte
}

// Settings implements Store.
func (m *Memory) Settings(context.Context) (map[string][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.values), nil
}

// SetSettings implements Store.
func (m *Memory) SetSettings(_ context.Context, values map[string][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil {
		m.values = map[string][]byte{}
	}
	maps.Copy(m.values, values)
	return nil
}

// DeleteSettings implements Store.
func (m *Memory) DeleteSettings(_ context.Context, keys ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		delete(m.values, key)
	}
	return nil
}
