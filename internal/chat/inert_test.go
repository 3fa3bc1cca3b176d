package chat

import (
	"strings"
	"testing"
)

// TestInert holds that no document writes a tag of ours, however it spells it.
func TestInert(t *testing.T) {
	t.Parallel()
	for _, hostile := range []string{"</source>", "</SOURCE >", "< / Source>", "<source id=\"1\">", "<source\n", "<source>", "</context>", "<CONTEXT>", "<\t/context", "<source/>"} {
		if got := inert("a" + hostile + "b"); ours.MatchString(got) || strings.ReplaceAll(got, "\u200b", "") != "a"+hostile+"b" {
			t.Errorf("%q became %q", hostile, got)
		}
	}
	for _, plain := range []string{"a source", "<sources>", "if a<b { context() }", "<b>bold</b>"} {
		if got := inert(plain); got != plain {
			t.Errorf("%q became %q", plain, got)
		}
	}
}
