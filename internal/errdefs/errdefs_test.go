package errdefs

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestIs(t *testing.T) {
	t.Parallel()
	e := New(NotFound, "There is no such thing.")
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"nil":        {nil, false},
		"itself":     {e, true},
		"wrapped":    {fmt.Errorf("store.Get: %w", e), true},
		"joined":     {errors.Join(io.EOF, e), true},
		"a cause":    {io.EOF, false},
		"other kind": {New(Invalid, "x"), false},
		"the outer":  {New(Invalid, "x").WithCause(e), false},
	} {
		if Is(tt.err, NotFound) != tt.want {
			t.Errorf("%s: %v", name, !tt.want)
		}
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()
	e := New(NotFound, "There is no such thing.")
	if From(fmt.Errorf("x: %w", e)) != e {
		t.Error("the error in the chain is another")
	}
	hidden := From(io.EOF)
	if hidden.Kind != Internal || hidden.HTTPStatus() != 500 || hidden.Detail == io.EOF.Error() || !errors.Is(hidden, io.EOF) {
		t.Errorf("%+v", hidden)
	}
}

// TestLookingAllocatesNothing: errors are looked at on every path.
func TestLookingAllocatesNothing(t *testing.T) {
	var e error = New(NotFound, "x")
	wrapped := fmt.Errorf("x: %w", e)
	for name, err := range map[string]error{"nil": nil, "itself": e, "wrapped": wrapped, "another": io.EOF} {
		if n := testing.AllocsPerRun(100, func() { Is(err, NotFound) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { From(wrapped) }); n != 0 {
		t.Errorf("From: %v allocations", n)
	}
}
