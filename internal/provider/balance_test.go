package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"portico/internal/errdefs"
	"portico/internal/hop"
)

func backends(n int, now *time.Time) []*Backend {
	list := make([]*Backend, n)
	for i := range list {
		list[i] = NewBackend(&Connection{Index: i}, nil)
		list[i].now = func() time.Time { return *now }
	}
	return list
}

func order(list []*Backend) string {
	s := ""
	for _, b := range list {
		s += fmt.Sprint(b.Index)
	}
	return s
}

func TestChoose(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	list := backends(4, &now)
	if got := order(Choose(list, now)); got != "0123" {
		t.Errorf("equals stay as configured: %s", got)
	}
	list[0].Busy.Store(3)
	list[2].Busy.Store(1)
	if got := order(Choose(list, now)); got != "1320" {
		t.Errorf("the least busy first: %s", got)
	}
	list[1].Begin()(errdefs.New(errdefs.Timeout, ""))
	if got := order(Choose(list, now)); got != "3201" {
		t.Errorf("resting ones last: %s", got)
	}
	if got := order(list); got != "0123" {
		t.Errorf("the list given was changed: %s", got)
	}
}

func TestRest(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	b := backends(1, &now)[0]
	refused := CallFailed(&hop.Error{Phase: hop.Dialing, Err: errors.New("refused")})
	for _, rest := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		b.Begin()(refused)
		if b.Healthy(now.Add(rest*time.Second - 1)) {
			t.Errorf("back before %d s", rest)
		}
		if !b.Healthy(now.Add(rest * time.Second)) {
			t.Errorf("not back after %d s", rest)
		}
	}
	b.Begin()(nil)
	if !b.Healthy(now) {
		t.Error("an answer clears")
	}
	b.Begin()(refused)
	if !b.Healthy(now.Add(time.Second)) {
		t.Error("and the next failure begins anew")
	}
	if b.Busy.Load() != 0 {
		t.Errorf("%d calls are still running", b.Busy.Load())
	}
}

func TestOutage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err   error
		rests bool
		retry bool
	}{
		{&hop.Error{Phase: hop.Dialing, Err: io.EOF}, true, true},
		{&hop.Error{Phase: hop.Dialing, Timeout: true, Err: io.EOF}, true, true},
		{&hop.Error{Phase: hop.Sent, Err: io.EOF}, true, true},
		{&hop.Error{Phase: hop.Sent, Timeout: true, Err: io.EOF}, true, false},
		{&hop.Error{Phase: hop.Head, Err: io.EOF}, true, false},
		{&hop.Error{Phase: hop.Body, Err: io.EOF}, false, false},
		{&hop.Error{Phase: hop.Body, Timeout: true, Err: io.EOF}, true, false},
		{&hop.Error{Phase: hop.Sent, Err: context.Canceled}, false, false},
		{Refused(Answer{Status: 500}, &Redactor{}), false, false},
		{Refused(Answer{Status: 501}, &Redactor{}), false, false},
		{Refused(Answer{Status: 502}, &Redactor{}), true, false},
		{Refused(Answer{Status: 503}, &Redactor{}), true, false},
		{Refused(Answer{Status: 504}, &Redactor{}), true, false},
		{Refused(Answer{Status: 599}, &Redactor{}), false, false},
		{Refused(Answer{Status: 401}, &Redactor{}), true, false}, // of our own credential
		{Refused(Answer{Status: 400}, &Redactor{}), false, false},
		{errdefs.New(errdefs.Upstream, "told within an answer"), false, false},
		{errdefs.New(errdefs.Timeout, "too slow"), true, false},
		{Refused(Answer{Status: 429}, &Redactor{}), false, false},
		{Refused(Answer{Status: 404}, &Redactor{}), false, false},
	}
	for i, tt := range tests {
		err := tt.err
		for _, err := range []error{err, error(CallFailed(err))} {
			b := NewBackend(&Connection{}, nil)
			b.Begin()(err)
			if rests := !b.Healthy(time.Now()); rests != tt.rests {
				t.Errorf("%d: rests %v, want %v (%v)", i, rests, tt.rests, err)
			}
			if MayRetry(err) != tt.retry {
				t.Errorf("%d: retry %v, want %v (%v)", i, !tt.retry, tt.retry, err)
			}
		}
	}
}

func TestBeginAllocatesNothing(t *testing.T) {
	now := time.Unix(1000, 0)
	list := backends(1, &now)
	if n := testing.AllocsPerRun(100, func() { Choose(list, now)[0].Begin()(nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
