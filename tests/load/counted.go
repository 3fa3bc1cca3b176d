package main

import (
	"encoding/json"
	"hash/fnv"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// counted is an embedder behind the documented API of OpenAI that costs next to
// nothing and counts what it is asked for.
type counted struct {
	addr  string
	texts atomic.Int64
	calls atomic.Int64
}

// listenCounted serves one until the program ends.
func listenCounted() (*counted, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &counted{addr: l.Addr().String()}
	go func() { _ = http.Serve(l, c) }()
	return c, nil
}

// env are the variables of a server that uses it.
func (c *counted) env() []string {
	return []string{"RAG_EMBEDDING_ENGINE=openai", "RAG_EMBEDDING_MODEL=counted", "RAG_OPENAI_API_BASE_URL=http://" + c.addr + "/v1", "RAG_OPENAI_API_KEY=none"}
}

// ServeHTTP implements http.Handler.
func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ Input []string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.calls.Add(1)
	c.texts.Add(int64(len(in.Input)))
	b := []byte(`{"object":"list","data":[`)
	for i, text := range in.Input {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"object":"embedding","index":`...)
		b = strconv.AppendInt(b, int64(i), 10)
		b = append(b, `,"embedding":[`...)
		for j, v := range bag(text) {
			if j > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(v), 10)
		}
		b = append(b, `]}`...)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, `],"model":"counted"}`...))
}

// bag counts the words of a text in 384 dimensions.
func bag(text string) [384]int {
	var v [384]int
	v[0] = 1 // never without direction
	for word := range strings.FieldsSeq(text) {
		h := fnv.New32a()
		_, _ = h.Write([]byte(word))
		v[h.Sum32()%384]++
	}
	return v
}
