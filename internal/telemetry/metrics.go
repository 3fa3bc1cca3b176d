package telemetry

import (
	"fmt"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// Metrics is the set of counters of one server. Its methods may be called from
// any goroutine and allocate nothing once a series exists.
type Metrics struct {
	set    *metrics.Set
	mu     sync.Mutex // for additions to series
	series atomic.Pointer[map[seriesKey]*series]
}

type seriesKey struct {
	method, route string
	status        int
}

type series struct {
	count *metrics.Counter
	took  *metrics.Histogram
}

// NewMetrics makes an empty set.
func NewMetrics() *Metrics {
	m := &Metrics{set: metrics.NewSet()}
	m.series.Store(&map[seriesKey]*series{})
	return m
}

// Observe counts one answered request and how long it took.
func (m *Metrics) Observe(r *Request) {
	key := seriesKey{r.Method, r.Route, r.Status}
	s := (*m.series.Load())[key]
	if s == nil {
		s = m.add(key)
	}
	s.count.Inc()
	s.took.Update(r.Took.Seconds())
}

// add makes a series. Their number is bounded by routes times statuses.
func (m *Metrics) add(key seriesKey) *series {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := *m.series.Load()
	if s := old[key]; s != nil {
		return s
	}
	s := &series{
		count: m.set.GetOrCreateCounter(fmt.Sprintf(`portico_requests_total{method=%q,route=%q,status="%d"}`, key.method, key.route, key.status)),
		took:  m.set.GetOrCreateHistogram(fmt.Sprintf(`portico_request_seconds{method=%q,route=%q}`, key.method, key.route)),
	}
	next := maps.Clone(old)
	next[key] = s
	m.series.Store(&next)
	return s
}

// Gauge shows what f gives, each time somebody looks. Name may hold labels.
func (m *Metrics) Gauge(name string, f func() float64) { m.set.NewGauge(name, f) }

// Counter gives a counter that only grows.
func (m *Metrics) Counter(name string) *metrics.Counter { return m.set.GetOrCreateCounter(name) }

// Since measures seconds into a histogram.
func (m *Metrics) Since(name string, start time.Time) {
	m.set.GetOrCreateHistogram(name).UpdateDuration(start)
}

// Handler answers with everything in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		m.set.WritePrometheus(w)
		metrics.WriteProcessMetrics(w)
	})
}
