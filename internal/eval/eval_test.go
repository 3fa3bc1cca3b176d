package eval

import (
	"strings"
	"testing"
	"time"
)

func TestRead(t *testing.T) {
	t.Parallel()
	all, err := Read(strings.NewReader("# questions\n\n{\"question\":\"a\",\"file\":\"f\"}\n{\"id\":\"x\",\"kind\":\"k\",\"question\":\"b\"}\n"))
	if err != nil || len(all) != 2 || all[0].ID != "line 3" || all[0].Kind != "all" || !all[0].Answerable() || all[1].ID != "x" || all[1].Answerable() {
		t.Errorf("%+v %v", all, err)
	}
	for _, bad := range []string{"", "# nothing\n", "{}", "{\"question\":1}", "no JSON"} {
		if _, err := Read(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestRank(t *testing.T) {
	t.Parallel()
	found := []Passage{{"a", "x"}, {"b", "The  answer\n| is 42 |."}, {"a", "the answer is 42"}}
	for _, tt := range []struct {
		q            Question
		answer, file int
	}{
		{Question{File: "a", Answer: "answer is 42"}, 3, 1},
		{Question{File: "b", Answer: "Answer is 42"}, 2, 2},
		{Question{Answer: "answer is 42"}, 2, 0},
		{Question{File: "b"}, 2, 2},
		{Question{File: "c", Answer: "x"}, 0, 0},
		{Question{File: "a", Answer: "43"}, 0, 1},
	} {
		if answer, file := Rank(&tt.q, found); answer != tt.answer || file != tt.file {
			t.Errorf("%+v: %d, %d", tt.q, answer, file)
		}
	}
}

func TestScores(t *testing.T) {
	t.Parallel()
	q := func(kind, file string) *Question { return &Question{Kind: kind, File: file} }
	scores := Scores([]Result{
		{Question: q("a", "f"), Answer: 1, File: 1}, {Question: q("a", "f"), Answer: 2, File: 1},
		{Question: q("a", "f"), Answer: 4, File: 4}, {Question: q("a", "f"), Nothing: true},
		{Question: q("none", ""), Nothing: true},
	})
	if len(scores) != 3 || scores[0] != (Score{"a", 4, 0.25, 0.5, 0.75, 0.4375, 0.5, 0.25}) || scores[1].Honest != 1 || scores[2].Kind != All || scores[2].Questions != 4 {
		t.Errorf("%+v", scores)
	}
	var b strings.Builder
	if err := Print(&b, scores); err != nil || !strings.Contains(b.String(), "0.438") {
		t.Errorf("%v\n%s", err, b.String())
	}
	if p := Percentile([]time.Duration{3, 1, 2}, 0.5); p != 2 {
		t.Error(p)
	}
}
