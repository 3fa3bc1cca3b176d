package openai

import (
	"io"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"portico/internal/provider"
	"portico/internal/provider/providertest"
)

func hexLength(s string) string { return strconv.FormatInt(int64(len(s)), 16) }

// TestChunksAllocateNothing: what a stream costs does not grow with its
// chunks, from the socket to the block that is written to the client.
func TestChunksAllocateNothing(t *testing.T) {
	// A collection would empty the pools of buffers, now and then within a run.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	cost := func(chunks int) float64 {
		var wire strings.Builder
		wire.WriteString(providertest.Head(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked"))
		one := event(`{"content":"word "}`, "null")
		for range chunks {
			wire.WriteString(hexLength(one) + "\r\n" + one + "\r\n")
		}
		wire.WriteString(hexLength(done) + "\r\n" + done + "\r\n0\r\n\r\n")
		all := wire.String()
		c, _ := open(t, provider.Connection{}, Options{}, func(c *providertest.Conn, _ *providertest.Request) { c.Send(all) })
		req := providertest.Chat(t, `{"model":"a","stream":true,"messages":[]}`, true)
		return testing.AllocsPerRun(20, func() {
			reply, err := c.Chat(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			events := 0
			for {
				block, err := reply.Stream.Next()
				events += strings.Count(string(block[:min(len(block), 6)]), "data: ")
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if events == 0 {
				t.Fatal("nothing came")
			}
			reply.Stream.Close()
		})
	}
	// Even the few come in reads of many each, so the one larger buffer that
	// such a stream needs is in both.
	few, many := cost(5000), cost(10000)
	t.Logf("%v allocations for a stream with its request, test's upstream included, and %v for 5,000 chunks more", few, many-few)
	if !raceEnabled && many > few {
		t.Errorf("5,000 chunks more cost %v allocations", many-few)
	}
}
