package telemetry

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/VictoriaMetrics/metrics"
)

// Metrics is the set of counters of one server. Its methods may be called from
// any goroutine and allocate nothing once a series exists.
type Metrics struct {
	set    *metrics.Set
	mu     sync.Mutex // for additions to series
	series atomic.Pointer[map[seriesKey]*series]
	spans  map[spanKey]*histogram // by mu
	order  []*histogram           // the same, in the order in which they came
}

type seriesKey struct {
	method, route string
	status        int
}

type series struct {
	count *metrics.Counter
	took  *histogram
	first *histogram // nil where answers do not come in pieces
}

type spanKey struct{ name, method, route string }

// NewMetrics makes an empty set.
func NewMetrics() *Metrics {
	m := &Metrics{set: metrics.NewSet(), spans: map[spanKey]*histogram{}}
	m.series.Store(&map[seriesKey]*series{})
	m.set.RegisterMetricsWriter(m.writeSpans)
	return m
}

// Observe counts one answered request and how long it took.
func (m *Metrics) Observe(r *Request) {
	key := seriesKey{r.Method, r.Route, r.Status}
	s := (*m.series.Load())[key]
	if s == nil {
		s = m.add(key, r.Streams && r.Status < 300)
	}
	s.count.Inc()
	s.took.observe(r.Took)
	if s.first != nil {
		s.first.observe(r.First)
	}
}

// add makes a series. Their number is bounded by routes times statuses.
func (m *Metrics) add(key seriesKey, streams bool) *series {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := *m.series.Load()
	if s := old[key]; s != nil {
		return s
	}
	s := &series{
		count: m.set.GetOrCreateCounter(fmt.Sprintf(`portico_requests_total{method=%q,route=%q,status="%d"}`, key.method, key.route, key.status)),
		took:  m.span("portico_request_seconds", key),
	}
	if streams {
		s.first = m.span("portico_first_byte_seconds", key)
	}
	next := maps.Clone(old)
	next[key] = s
	m.series.Store(&next)
	return s
}

// span gives the histogram of a route, whatever the status. m.mu is held.
func (m *Metrics) span(name string, key seriesKey) *histogram {
	k := spanKey{name, key.method, key.route}
	h := m.spans[k]
	if h == nil {
		h = &histogram{name: name, labels: fmt.Sprintf("method=%q,route=%q", key.method, key.route)}
		m.spans[k] = h
		m.order = append(m.order, h)
	}
	return h
}

func (m *Metrics) writeSpans(w io.Writer) {
	m.mu.Lock()
	all := m.order[:len(m.order):len(m.order)]
	m.mu.Unlock()
	for _, h := range all {
		h.write(w)
	}
}

// Write lets f add lines in Prometheus' text format each time somebody looks,
// for series that come and go.
func (m *Metrics) Write(f func(io.Writer)) { m.set.RegisterMetricsWriter(f) }

// Gauge shows what f gives, each time somebody looks. Name may hold labels.
func (m *Metrics) Gauge(name string, f func() float64) { m.set.NewGauge(name, f) }

// Counter gives a counter that only grows.
func (m *Metrics) Counter(name string) *metrics.Counter { return m.set.GetOrCreateCounter(name) }

// Handler answers with everything in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		m.set.WritePrometheus(w)
		metrics.WriteProcessMetrics(w)
	})
}
