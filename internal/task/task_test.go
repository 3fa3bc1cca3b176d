package task

import (
	"strings"
	"testing"
	"time"
)

func TestPrompt(t *testing.T) {
	t.Parallel()
	talk := []Message{{"user", "Why is the sky blue on a clear day?"}, {"assistant", "It is the light {{PROMPT}}."}, {"user", "And what of the night?"}}
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, template string
		in             Input
		want           string
	}{
		{"all", "{{MESSAGES}}", Input{Messages: talk[:1]}, "USER: Why is the sky blue on a clear day?\n"},
		{"last", "{{MESSAGES:END:1}}", Input{Messages: talk}, "USER: And what of the night?\n"},
		{"first", "{{messages:start:1}}|{{prompt}}", Input{Messages: talk}, "USER: Why is the sky blue on a clear day?\n|And what of the night?"},
		{"none", "{{MESSAGES:END:0}}{{OTHER}}", Input{Messages: talk}, "{{OTHER}}"},
		{"typed", "{{PROMPT}} {{TYPE}} {{CURRENT_DATE}}", Input{Messages: talk, Prompt: "{{TYPE}}", Type: "general", Now: now}, "{{TYPE}} general 2026-11-22"},
	} {
		if got := Prompt(Title, c.template, c.in); got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	if long := Prompt(Emoji, "{{PROMPT}}", Input{Prompt: strings.Repeat("é", 1<<20)}); len(long) > maxText+10 {
		t.Errorf("%d bytes", len(long))
	}
}

func TestOwnPrompts(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{Title, Tags, FollowUps, Queries, Emoji, Autocomplete, ImagePrompt} {
		english := Prompt(kind, "", Input{Messages: []Message{{"user", "Why is the sky blue, and what is it made of?"}}})
		portuguese := Prompt(kind, "", Input{Messages: []Message{{"user", "Por que o céu é azul, e do que ele é feito?"}}})
		if !strings.Contains(english, "sky") || !strings.Contains(portuguese, "céu") || strings.Contains(english+portuguese, "{{") {
			t.Errorf("%s: %s\n%s", kind, english, portuguese)
		}
		if english[:10] == portuguese[:10] {
			t.Errorf("%s is in one language", kind)
		}
	}
}
