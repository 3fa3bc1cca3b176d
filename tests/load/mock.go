package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// mocked is the upstream that answers as a model would, without one. It parses
// no more of a request than it must and writes prepared bytes, so that it is
// never what is measured.
type mocked struct {
	delay  time.Duration // before the first byte
	chunks int
	pace   time.Duration // between two chunks
	size   int           // bytes of a whole answer's text
	models int

	whole, ollamaWhole    []byte
	chunk, ollamaChunk    []byte
	tail, ollamaTail      []byte
	tags, list            []byte
	open, cancelled, seen atomic.Int64
}

func mock(args []string) error {
	m := &mocked{}
	flags := flag.NewFlagSet("mock", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:9000", "address to listen on")
	flags.DurationVar(&m.delay, "delay", 0, "time before the first byte of an answer")
	flags.IntVar(&m.chunks, "chunks", 64, "chunks of a streamed answer")
	flags.DurationVar(&m.pace, "pace", 0, "time between two chunks")
	flags.IntVar(&m.size, "size", 1024, "bytes of a whole answer")
	flags.IntVar(&m.models, "models", 10, "number of models mock-0, mock-1, …")
	flags.Parse(args)
	m.prepare()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	return m.accept(l)
}

func (m *mocked) accept(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go m.serve(c)
	}
}

// upstream serves a mock until the program ends, and gives the variables of a
// server that uses it.
func upstream() ([]string, error) {
	m := &mocked{size: 1024, models: 1}
	m.prepare()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() { _ = m.accept(l) }()
	return []string{"OPENAI_API_BASE_URLS=http://" + l.Addr().String() + "/v1", "OPENAI_API_KEYS=mock"}, nil
}

// answer wraps a body in a head.
func answer(status, kind, extra string, body []byte) []byte {
	return append(fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n", status, kind, len(body), extra), body...)
}

func framed(data string) []byte { return fmt.Appendf(nil, "%x\r\n%s\r\n", len(data), data) }

func (m *mocked) prepare() {
	const usage = `"usage":{"prompt_tokens":9,"completion_tokens":64,"total_tokens":73}`
	text := strings.Repeat("word ", 64)
	if n := m.size - 260; n > len(text) {
		text = strings.Repeat("word ", n/5)
	}
	m.whole = answer("200 OK", "application/json", "", fmt.Appendf(nil, `{"id":"chatcmpl-mock","object":"chat.completion","created":1700000000,"model":"mock-0","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],%s}`, text, usage))
	m.ollamaWhole = answer("200 OK", "application/json", "", fmt.Appendf(nil, `{"model":"mock-0:latest","created_at":"2024-01-01T00:00:00Z","message":{"role":"assistant","content":%q},"done":true,"done_reason":"stop","total_duration":1,"prompt_eval_count":9,"eval_count":64}`, text))
	const piece = `{"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock-0","choices":[{"index":0,"delta":%s,"finish_reason":%s}]%s}`
	m.chunk = framed("data: " + fmt.Sprintf(piece, `{"content":"word "}`, "null", "") + "\n\n")
	m.tail = append(framed("data: "+fmt.Sprintf(piece, "{}", `"stop"`, ","+usage)+"\n\ndata: [DONE]\n\n"), "0\r\n\r\n"...)
	m.ollamaChunk = framed(`{"model":"mock-0:latest","created_at":"2024-01-01T00:00:00Z","message":{"role":"assistant","content":"word "},"done":false}` + "\n")
	m.ollamaTail = append(framed(`{"model":"mock-0:latest","created_at":"2024-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":9,"eval_count":64}`+"\n"), "0\r\n\r\n"...)
	names := []string{"mock-echo", "mock-fail500", "mock-fail429"}
	for i := range m.models {
		names = append(names, fmt.Sprint("mock-", i))
	}
	var list, tags []string
	for _, name := range names {
		list = append(list, fmt.Sprintf(`{"id":%q,"object":"model","created":1700000000,"owned_by":"mock"}`, name))
		tags = append(tags, fmt.Sprintf(`{"name":"%s:latest","model":"%s:latest","modified_at":"2024-01-01T00:00:00Z","size":1,"digest":"%064x","details":{"format":"gguf","family":"mock","parameter_size":"1B","quantization_level":"Q4_0"}}`, name, name, len(name)))
	}
	m.list = answer("200 OK", "application/json", "", []byte(`{"object":"list","data":[`+strings.Join(list, ",")+`]}`))
	m.tags = answer("200 OK", "application/json", "", []byte(`{"models":[`+strings.Join(tags, ",")+`]}`))
}

// serve answers one connection's requests.
func (m *mocked) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	body := []byte{}
	for {
		path, n, err := readHead(r)
		if err != nil {
			return
		}
		if cap(body) < n {
			body = make([]byte, n)
		}
		body = body[:n]
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		if m.answer(c, path, body) != nil {
			return
		}
	}
}

// readHead reads a request's head and gives its path and the length of its body.
func readHead(r *bufio.Reader) (path string, length int, err error) {
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return "", 0, err
		}
		switch {
		case first:
			parts := bytes.SplitN(line, []byte{' '}, 3)
			if len(parts) < 3 {
				return "", 0, io.ErrUnexpectedEOF
			}
			path = string(parts[1])
		case len(line) <= 2:
			return path, length, nil
		case len(line) > 15 && bytes.EqualFold(line[:15], []byte("Content-Length:")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[15:]))); err != nil {
				return "", 0, err
			}
		}
	}
}

func (m *mocked) answer(c net.Conn, path string, body []byte) error {
	switch {
	case strings.HasSuffix(path, "/models"):
		return send(c, m.list)
	case strings.HasSuffix(path, "/api/tags"):
		return send(c, m.tags)
	case strings.HasSuffix(path, "/api/ps"):
		return send(c, answer("200 OK", "application/json", "", []byte(`{"models":[]}`)))
	case strings.HasSuffix(path, "/api/version"):
		return send(c, answer("200 OK", "application/json", "", []byte(`{"version":"0.17.4"}`)))
	case strings.HasSuffix(path, "/mock/counts"):
		return send(c, answer("200 OK", "application/json", "", fmt.Appendf(nil, `{"open":%d,"cancelled":%d,"seen":%d}`, m.open.Load(), m.cancelled.Load(), m.seen.Load())))
	case strings.HasSuffix(path, "/embeddings"):
		return send(c, answer("200 OK", "application/json", "", []byte(`{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,0.2,0.3]}],"model":"mock-0","usage":{"prompt_tokens":1,"total_tokens":1}}`)))
	}
	m.seen.Add(1)
	if m.delay > 0 {
		time.Sleep(m.delay)
	}
	ollama := strings.Contains(path, "/api/chat") || strings.Contains(path, "/api/generate")
	head := body[:min(len(body), 4096)]
	switch {
	case bytes.Contains(head, []byte("mock-fail500")):
		return send(c, answer("500 Internal Server Error", "application/json", "", []byte(`{"error":{"message":"mock failure","type":"server_error"}}`)))
	case bytes.Contains(head, []byte("mock-fail429")):
		return send(c, answer("429 Too Many Requests", "application/json", "Retry-After: 7\r\n", []byte(`{"error":{"message":"slow down","type":"rate_limit"}}`)))
	case bytes.Contains(head, []byte("mock-echo")):
		return echo(c, body)
	}
	stream := bytes.Contains(body, []byte(`"stream":true`)) || bytes.Contains(body, []byte(`"stream": true`)) ||
		(ollama && !bytes.Contains(body, []byte(`"stream":false`)))
	switch {
	case !stream && ollama:
		return send(c, m.ollamaWhole)
	case !stream:
		return send(c, m.whole)
	}
	return m.stream(c, ollama)
}

// echo answers with the messages that came, as JSON text.
func echo(c net.Conn, body []byte) error {
	var req struct{ Messages json.RawMessage }
	json.Unmarshal(body, &req)
	text, _ := json.Marshal(string(req.Messages))
	return send(c, answer("200 OK", "application/json", "", fmt.Appendf(nil, `{"id":"chatcmpl-mock","object":"chat.completion","created":1700000000,"model":"mock-echo","choices":[{"index":0,"message":{"role":"assistant","content":%s},"finish_reason":"stop"}]}`, text)))
}

const (
	sseHead    = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	ndjsonHead = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
)

// stream sends chunks at their pace: without one, each in its own write all
// the same, as an upstream that flushes each token does.
func (m *mocked) stream(c net.Conn, ollama bool) error {
	m.open.Add(1)
	defer m.open.Add(-1)
	head, chunk, tail := sseHead, m.chunk, m.tail
	if ollama {
		head, chunk, tail = ndjsonHead, m.ollamaChunk, m.ollamaTail
	}
	if err := send(c, append([]byte(head), chunk...)); err != nil {
		return err
	}
	for range m.chunks - 1 {
		if m.pace > 0 && gone(c, m.pace) {
			m.cancelled.Add(1)
			return io.EOF
		}
		if err := send(c, chunk); err != nil {
			m.cancelled.Add(1)
			return err
		}
	}
	return send(c, tail)
}

// gone sleeps and reports whether the caller closed meanwhile.
func gone(c net.Conn, d time.Duration) bool {
	var one [1]byte
	c.SetReadDeadline(time.Now().Add(d))
	_, err := c.Read(one[:])
	c.SetReadDeadline(time.Time{})
	timeout, ok := err.(net.Error)
	return !ok || !timeout.Timeout()
}

func send(c net.Conn, b []byte) error {
	_, err := c.Write(b)
	return err
}
