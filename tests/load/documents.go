package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"portico/internal/retrieval/embed"
	"portico/internal/store"
	"portico/tests/load/docset"
)

// library is the measurement of a set of mixed documents.
type library struct {
	program, models, corpus, questions, texts string
	count                                     int

	docs  []docset.Doc
	asked []docset.Question
	dir   string
}

const modelName = "all-MiniLM-L6-v2"

// documents uploads a set of mixed documents to a fresh server and measures
// when they can be searched, how good the search is, and what it costs.
func documents(args []string) error {
	l := &library{}
	flags := flag.NewFlagSet("documents", flag.ExitOnError)
	flags.StringVar(&l.program, "program", "bin/portico", "the server")
	flags.StringVar(&l.models, "models", ".cache/testenv/models", "folder of models")
	flags.StringVar(&l.corpus, "corpus", "tests/eval/corpus", "folder of the documents that -questions are about")
	flags.StringVar(&l.questions, "questions", "tests/eval/questions.jsonl", "golden questions")
	flags.IntVar(&l.count, "count", 120, "documents")
	flags.StringVar(&l.texts, "texts", "", "file that gets the chunks, as embedded, in a JSON array, and seconds for others to compare with")
	flags.Parse(args)
	var err error
	if l.docs, l.asked, err = docset.Make(l.corpus, l.count); err != nil {
		return err
	}
	if l.dir, err = os.MkdirTemp("", "load-documents"); err != nil {
		return err
	}
	defer os.RemoveAll(l.dir)
	return l.measure()
}

func (l *library) measure() error {
	o, err := openOffice(l.program, l.dir, l.models)
	if err != nil {
		return err
	}
	defer o.close()
	// The compiled code of the reader of PDFs is kept from now on, as it is on
	// every server that has read one before.
	first, err := o.upload("first.pdf", docset.Report(1, 99))
	if err == nil {
		err = o.completed(first)
	}
	if err != nil {
		return err
	}
	began := time.Now()
	ids, acked, err := l.upload(o)
	if err != nil {
		return err
	}
	words, err := o.indexed("text", len(ids)+1)
	if err != nil {
		return err
	}
	keyword := words.Sub(began).Seconds()
	for i, id := range ids { // what the list says holds for searches, too
		if err := o.readable(id, l.docs[i].Name); err != nil {
			return err
		}
	}
	meant, err := o.indexed("vectors", len(ids)+1)
	if err != nil {
		return err
	}
	vector := meant.Sub(began).Seconds()
	chunks, tokens, err := l.chunks(ids, vector)
	if err != nil {
		return err
	}
	fmt.Printf("%d documents, %d chunks, %d tokens: acknowledged in %.1f ms (p50) to %.1f ms (p99), found by words after %.2f s, by vectors after %.1f s (%.1f chunks/s)\n",
		len(ids), chunks, tokens, millis(quantile(acked, 50)), millis(quantile(acked, 99)), keyword, vector, float64(chunks)/vector)
	if err := record(atMost(fmt.Sprintf("%d documents: found by words", l.count), keyword, "s", 5)); err != nil {
		return err
	}
	k, err := l.collect(o, ids)
	if err != nil {
		return err
	}
	if err := l.search(o, k); err != nil {
		return err
	}
	if err := l.judge(o, k); err != nil {
		return err
	}
	return l.once()
}

// upload sends all documents over eight connections.
func (l *library) upload(o *office) (ids []string, acked []time.Duration, err error) {
	ids, acked = make([]string, len(l.docs)), make([]time.Duration, len(l.docs))
	err = each(len(ids), 8, func(i int) (err error) {
		began := time.Now()
		ids[i], err = o.upload(l.docs[i].Name, l.docs[i].Body)
		acked[i] = time.Since(began)
		return err
	})
	return ids, acked, err
}

// listed is a file in a list.
type listed struct {
	ID, Filename string
	Data         struct {
		Status, Error string
		Index         map[string]string
	}
}

// ready reports whether one of the two indexes has the file.
func (f *listed) ready(index string) (bool, error) {
	if f.Data.Status == "failed" {
		return false, fmt.Errorf("%s: %s", f.Filename, f.Data.Error)
	}
	return f.Data.Index[index] == "ready", nil
}

// indexed waits until n files are ready in one of the two indexes.
func (o *office) indexed(index string, n int) (time.Time, error) {
	return until(20*time.Millisecond, func() (bool, error) {
		var all []listed
		if err := o.call(http.MethodGet, "/api/v1/files/search?filename=*&content=false&limit=1000", "", nil, &all); err != nil {
			return false, err
		}
		count := 0
		for _, f := range all {
			ready, err := f.ready(index)
			if err != nil {
				return false, err
			}
			if ready {
				count++
			}
		}
		return count == n, nil
	})
}

// fileIndexed waits until one file is.
func (o *office) fileIndexed(id, index string) (time.Time, error) {
	return until(10*time.Millisecond, func() (bool, error) {
		f := new(listed)
		if err := o.call(http.MethodGet, "/api/v1/files/"+id+"?content=false", "", nil, f); err != nil {
			return false, err
		}
		return f.ready(index)
	})
}

// chunks counts what was embedded, beside the server, and leaves it for others.
func (l *library) chunks(ids []string, seconds float64) (chunks, tokens int, err error) {
	local, err := embed.OpenLocal(filepath.Join(l.models, modelName), embed.LocalOptions{})
	if err != nil {
		return 0, 0, err
	}
	defer local.Close()
	var texts []string
	err = beside(l.dir, func(ctx context.Context, db *store.DB) error {
		profile, _, err := db.InstanceProfiles(ctx)
		if err != nil {
			return err
		}
		for _, id := range ids {
			set, err := db.SetOf(ctx, id, profile)
			if err != nil {
				return err
			}
			rows, err := db.Chunks(ctx, set.ID, 0, set.Chunks)
			if err != nil {
				return err
			}
			for _, r := range rows {
				text := strings.ReplaceAll(strings.TrimPrefix(r.Context+"\n"+r.Text, "\n"), "\n", " ")
				texts = append(texts, text)
				tokens += local.Tokens(text)
			}
		}
		return nil
	})
	if err != nil || l.texts == "" {
		return len(texts), tokens, err
	}
	b, err := json.Marshal(map[string]any{"seconds": seconds, "texts": texts})
	if err != nil {
		return 0, 0, err
	}
	return len(texts), tokens, os.WriteFile(l.texts, b, 0o600)
}

// beside looks into the database of a folder.
func beside(dir string, look func(context.Context, *store.DB) error) error {
	ctx := context.Background()
	full, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, "sqlite:///"+full+"/portico.db", store.Options{Beside: true})
	if err != nil {
		return err
	}
	defer db.Close()
	return look(ctx, db)
}

// collect puts all files into a collection, one after the other.
func (l *library) collect(o *office, ids []string) (string, error) {
	k, err := o.collection("library")
	if err != nil {
		return "", err
	}
	var took []time.Duration
	for _, id := range ids {
		began := time.Now()
		if err := o.add(k, id); err != nil {
			return "", err
		}
		took = append(took, time.Since(began))
	}
	p50, p99 := millis(quantile(took, 50)), millis(quantile(took, 99))
	fmt.Printf("file/add: %.1f ms (p50), %.1f ms (p99)\n", p50, p99)
	return k, record(atMost("file/add, p50", p50, "ms", 10), atMost("file/add, p99", p99, "ms", 10))
}

// search measures questions, beside the embedding of the same question in this
// process, in turns.
func (l *library) search(o *office, k string) error {
	local, err := embed.OpenLocal(filepath.Join(l.models, modelName), embed.LocalOptions{})
	if err != nil {
		return err
	}
	defer local.Close()
	var embedding, whole []time.Duration
	var beside []float64
	for i := range 300 {
		q := l.asked[i%len(l.asked)].Question
		began := time.Now()
		if _, err := local.Question(context.Background(), q); err != nil {
			return err
		}
		alone := time.Since(began)
		began = time.Now()
		if _, err := o.query(k, q); err != nil {
			return err
		}
		took := time.Since(began)
		if i < 20 {
			continue // both warm up
		}
		embedding, whole, beside = append(embedding, alone), append(whole, took), append(beside, millis(took-alone))
	}
	p50 := medianOf(beside)
	fmt.Printf("a question over HTTP: %.1f ms (p50), %.1f ms (p99); its embedding alone %.1f ms (p50); beside it %.1f ms\n",
		millis(quantile(whole, 50)), millis(quantile(whole, 99)), millis(quantile(embedding, 50)), p50)
	return record(atMost("question beside its embedding, p50", p50, "ms", 5), atMost("embedding of a question, p50", millis(quantile(embedding, 50)), "ms", 8))
}

// judge asks golden questions and prints how they went, by kind.
func (l *library) judge(o *office, k string) error {
	own := filepath.Join(l.dir, "templated.jsonl")
	f, err := os.Create(own)
	if err != nil {
		return err
	}
	for _, q := range l.asked {
		if err := json.NewEncoder(f).Encode(q); err != nil {
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	for _, file := range []string{l.questions, own} {
		if err := l.eval(o, k, file); err != nil {
			return err
		}
	}
	return nil
}

// crossLingual is the kind that is reported apart: a model of English alone
// cannot be held to it.
const crossLingual = "portuguese on english"

func (l *library) eval(o *office, k, file string) error {
	raw, err := o.verb(l.program, "eval", file, "--knowledge", k, "--json")
	if err != nil {
		return err
	}
	var report struct {
		Scores map[string][]struct {
			Kind      string
			Questions int
			Hit3      float64 `json:"hit@3"`
			FileHit3  float64 `json:"file_hit@3"`
			Nothing   float64 `json:"nothing_relevant"`
		}
	}
	if err := json.Unmarshal(raw, &report); err != nil {
		return err
	}
	sum, n, wrong := 0.0, 0, 0.0
	name := "golden questions"
	if file != l.questions {
		name = "templated questions"
	}
	fmt.Printf("%s:\n", name)
	for i, s := range report.Scores["hybrid"] {
		if s.Kind == "all answerable" {
			continue
		}
		fmt.Printf("  %-24s %3d questions: hit@3 %.3f (words %.3f, vectors %.3f), file hit@3 %.3f, \"nothing relevant\" %.3f\n",
			s.Kind, s.Questions, s.Hit3, report.Scores["lexical"][i].Hit3, report.Scores["vector"][i].Hit3, s.FileHit3, s.Nothing)
		switch s.Kind {
		case "unanswerable":
			if err := record(atLeast("unanswerable questions told to be so", s.Nothing, "share", 0.5)); err != nil {
				return err
			}
		case crossLingual:
		default:
			sum, n, wrong = sum+s.Hit3*float64(s.Questions), n+s.Questions, wrong+s.Nothing*float64(s.Questions)
		}
	}
	fmt.Printf("  together, without \"%s\": hit@3 %.3f, wrongly \"nothing relevant\" %.3f\n", crossLingual, sum/float64(n), wrong/float64(n))
	return record(atLeast(name+": hit@3 over all documents", sum/float64(n), "", 0.75), atMost(name+": wrongly told to have no answer", wrong/float64(n), "share", 0.1))
}

// once does the same with an embedder that counts: nothing is embedded twice,
// not when it goes into a collection, nor when the same bytes come again.
func (l *library) once() error {
	c, err := listenCounted()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "load-once")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o, err := openOffice(l.program, dir, "", c.env()...)
	if err != nil {
		return err
	}
	defer o.close()
	ids, _, err := l.upload(o)
	if err != nil {
		return err
	}
	if _, err := o.indexed("vectors", len(ids)); err != nil {
		return err
	}
	first := c.texts.Load()
	k, err := o.collection("library")
	if err != nil {
		return err
	}
	if err := each(len(ids), 1, func(i int) error { return o.add(k, ids[i]) }); err != nil {
		return err
	}
	if _, _, err := l.upload(o); err != nil {
		return err
	}
	if _, err := o.indexed("vectors", 2*len(ids)); err != nil {
		return err
	}
	again := c.texts.Load() - first
	fmt.Printf("embedded: %d chunks in %d calls; %d more for a collection of all and a second upload of all\n", first, c.calls.Load(), again)
	return record(atMost("chunks embedded twice", float64(again), "", 0))
}
