package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"portico/internal/api/apitest"
)

// nullWriter takes an answer and keeps its size alone, as a socket would.
type nullWriter struct {
	header http.Header
	status int
	bytes  int
}

func (w *nullWriter) Header() http.Header { return w.header }
func (w *nullWriter) WriteHeader(s int)   { w.status = s }
func (w *nullWriter) Write(b []byte) (int, error) {
	w.bytes += len(b)
	return len(b), nil
}

// BenchmarkModels is GET /api/models with 1,000 models through the whole
// handler: key check, rights, list. p99-ns is the goal of 1 ms.
func BenchmarkModels(b *testing.B) {
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = fmt.Sprintf("provider/model-%04d", i)
	}
	config, err := json.Marshal(map[string]any{"0": map[string]any{"model_ids": ids}})
	if err != nil {
		b.Fatal(err)
	}
	s := apitest.New(b, apitest.Options{Env: map[string]string{"OPENAI_API_CONFIGS": string(config), "ENABLE_OLLAMA_API": "false"}})
	for _, id := range ids[:500] {
		if a := s.Do(b, s.Admin.Key, "POST", "/api/v1/models/model/access/update", everyone(id)); a.Status != 200 {
			b.Fatal(a.Body)
		}
	}
	h := s.API.Handler()
	tag := s.Do(b, s.Admin.Key, "GET", "/api/models", nil).Header.Get("ETag")
	for _, c := range []struct{ name, key, have string }{{"admin", s.Admin.Key, ""}, {"user", s.User.Key, ""}, {"304", s.Admin.Key, tag}} {
		b.Run(c.name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/api/models", nil)
			r.Header.Set("Authorization", "Bearer "+c.key)
			if c.have != "" {
				r.Header.Set("If-None-Match", c.have)
			}
			var w nullWriter
			times := make([]time.Duration, 0, 1<<16)
			b.ReportAllocs()
			statements := s.DB.Statements()
			for b.Loop() {
				w = nullWriter{header: http.Header{}}
				begun := time.Now()
				h.ServeHTTP(&w, r)
				times = append(times, time.Since(begun))
			}
			b.StopTimer()
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)*99/100]), "p99-ns")
			b.ReportMetric(float64(s.DB.Statements()-statements), "statements")
			b.ReportMetric(float64(w.bytes), "bytes")
		})
	}
}
