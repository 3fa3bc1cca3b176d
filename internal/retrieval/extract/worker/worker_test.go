package worker

import (
	"context"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"portico/internal/retrieval/extract"
)

// TestMain is also the child: the pool starts the test binary.
func TestMain(m *testing.M) {
	if os.Getenv(settingsVar) != "" {
		if err := Child(context.Background(), os.Getenv); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func newPool(t *testing.T, cfg Config) *Pool {
	t.Helper()
	p := New(cfg)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func input(name, content string) extract.Input {
	return extract.Input{Name: name, Content: strings.NewReader(content), Size: int64(len(content))}
}

func TestExtract(t *testing.T) {
	t.Parallel()
	p := newPool(t, Config{})
	d, err := p.Extract(t.Context(), input("a.txt", "hello\r\nworld"))
	if err != nil || d.Text != "hello\nworld" {
		t.Fatalf("%v %+v", err, d)
	}
}
