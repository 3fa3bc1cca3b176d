package chat

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// Task is an answer that is being written into a saved chat, by this process.
type Task struct{ ID, ChatID string }

// tasks are those at work. The zero value is ready.
type tasks struct {
	mu   sync.Mutex
	list map[string]work
}

type work struct {
	Task
	stop context.CancelCauseFunc
}

func (t *tasks) begin(task Task, stop context.CancelCauseFunc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.list == nil {
		t.list = map[string]work{}
	}
	t.list[task.ID] = work{task, stop}
}

func (t *tasks) end(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.list, id)
}

// find gives those that match, by id.
func (t *tasks) find(match func(Task) bool) []work {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []work
	for _, w := range t.list {
		if match(w.Task) {
			found = append(found, w)
		}
	}
	slices.SortFunc(found, func(a, b work) int { return strings.Compare(a.ID, b.ID) })
	return found
}

// Tasks lists what is at work, in one chat or in all for "".
func (s *Service) Tasks(chatID string) []Task {
	var list []Task
	for _, w := range s.tasks.find(func(t Task) bool { return chatID == "" || t.ChatID == chatID }) {
		list = append(list, w.Task)
	}
	return list
}

// StopTask ends one task, and its call upstream at once; false when there is
// none. What was produced is kept.
func (s *Service) StopTask(id string) bool {
	return s.stop(func(t Task) bool { return t.ID == id }) > 0
}

// StopChat ends all tasks of a chat and says how many there were.
func (s *Service) StopChat(chatID string) int {
	return s.stop(func(t Task) bool { return t.ChatID == chatID })
}

func (s *Service) stop(match func(Task) bool) int {
	found := s.tasks.find(match)
	for _, w := range found {
		w.stop(errStopped)
	}
	return len(found)
}
