package telemetry

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"sync/atomic"
	"time"
)

// bounds are the upper ends of a histogram's buckets: from an answer out of
// memory to a long conversation.
var bounds = [...]time.Duration{
	time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute,
}

// histogram counts durations in the buckets that Prometheus' own functions
// understand.
type histogram struct {
	name, labels string // labels as method="GET",route="/x"
	buckets      [len(bounds) + 1]atomic.Uint64
	sum          atomic.Int64 // nanoseconds
}

func (h *histogram) observe(d time.Duration) {
	i := 0
	for i < len(bounds) && d > bounds[i] {
		i++
	}
	h.buckets[i].Add(1)
	h.sum.Add(int64(d))
}

// write puts the histogram into Prometheus' text format.
func (h *histogram) write(w io.Writer) {
	var n uint64
	for i := range h.buckets {
		n += h.buckets[i].Load()
		le := math.Inf(1)
		if i < len(bounds) {
			le = bounds[i].Seconds()
		}
		_, _ = fmt.Fprintf(w, "%s_bucket{%s,le=\"%s\"} %d\n", h.name, h.labels, strconv.FormatFloat(le, 'g', -1, 64), n)
	}
	sum := time.Duration(h.sum.Load()).Seconds()
	_, _ = fmt.Fprintf(w, "%s_sum{%s} %g\n%s_count{%s} %d\n", h.name, h.labels, sum, h.name, h.labels, n)
}
