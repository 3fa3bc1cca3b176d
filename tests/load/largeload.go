package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"portico/internal/file"
	"portico/internal/knowledge"
	"portico/internal/retrieval"
	"portico/internal/store"
	"portico/tests/load/docset"
)

// largeFiles is how many files the large collection has; its chunks are spread
// evenly over them.
const largeFiles = 10_000

// loader fills the database of a stopped server beside its API: hours of
// embedding would say nothing about search.
type loader struct {
	db         *store.DB
	r          *rand.Rand
	real       [][]float32 // vectors of real texts that others are made from
	like       *file.File  // whose bytes all files share
	profile    *retrieval.Profile
	collection string
	each       int // chunks of a file
}

// makeLarge makes a folder with a collection of many chunks, and gives its id.
func makeLarge(program, dir, models, vectors string, rows int) (string, error) {
	if b, err := os.ReadFile(filepath.Join(dir, "collection")); err == nil {
		return string(b), nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	l := &loader{r: rand.New(rand.NewPCG(1, 14)), each: rows / largeFiles}
	var err error
	if l.real, err = readVectors(vectors); err != nil {
		return "", err
	}
	o, err := openOffice(program, dir, models)
	if err != nil {
		return "", err
	}
	seed, err := o.upload("seed.txt", docset.Note(0).Body)
	if err == nil {
		err = o.completed(seed)
	}
	if err == nil {
		l.collection, err = o.collection("large")
	}
	o.close()
	if err != nil {
		return "", err
	}
	began := time.Now()
	if err := beside(dir, func(ctx context.Context, db *store.DB) error { return l.fill(ctx, db, seed) }); err != nil {
		return "", err
	}
	took := time.Since(began).Seconds()
	fmt.Printf("loaded %d chunks of %d files with texts and vectors: %.0f chunks/s\n", l.each*largeFiles, largeFiles, float64(l.each*largeFiles)/took)
	return l.collection, os.WriteFile(filepath.Join(dir, "collection"), []byte(l.collection), 0o600)
}

// readVectors reads float32 vectors of 384 dimensions, as the benchmark of the
// index leaves them.
func readVectors(path string) ([][]float32, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the vectors that others are made from: %w (load gobench makes them)", err)
	}
	const dims = 384
	all := make([][]float32, len(b)/4/dims)
	for i := range all {
		all[i] = make([]float32, dims)
		for j := range all[i] {
			all[i][j] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*(i*dims+j):]))
		}
	}
	if len(all) < 2 {
		return nil, errors.New("the file of vectors is empty")
	}
	return all, nil
}

func (l *loader) fill(ctx context.Context, db *store.DB, seed string) error {
	l.db = db
	var err error
	if l.like, err = db.FileByID(ctx, seed); err != nil {
		return err
	}
	profile, _, err := db.InstanceProfiles(ctx)
	if err != nil {
		return err
	}
	if l.profile, err = db.ProfileByID(ctx, profile); err != nil {
		return err
	}
	const atOnce = 20 // files in one transaction
	for from := 0; from < largeFiles; from += atOnce {
		if err := db.Tx(ctx, func(ctx context.Context) error {
			for i := from; i < from+atOnce; i++ {
				if err := l.file(ctx, i); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// file adds a file with its chunks and their vectors to the collection.
func (l *loader) file(ctx context.Context, i int) error {
	f := *l.like
	f.ID, f.Filename = fmt.Sprintf("large-%d", i), fmt.Sprintf("large-%d.txt", i)
	if err := l.db.CreateFile(ctx, &f, false); err != nil {
		return err
	}
	entry := &knowledge.Entry{KnowledgeID: l.collection, File: &f, UserID: f.UserID, Twice: true, CreatedAt: f.CreatedAt, UpdatedAt: f.UpdatedAt}
	if _, _, err := l.db.LinkFile(ctx, entry); err != nil {
		return err
	}
	rows := make([]retrieval.Row, l.each)
	var vectors []float32
	for n := range rows {
		text := docset.Text(l.r, 950)
		rows[n] = retrieval.Row{N: n, Text: text, Context: f.Filename, First: 900 * n, Last: 900*n + len(text)}
		vectors = l.vector(vectors)
	}
	set := &retrieval.Set{FileID: f.ID, Profile: l.profile.ID, Space: l.profile.Space}
	if err := l.db.ReplaceSet(ctx, set, rows); err != nil {
		return err
	}
	if err := l.db.AddVectors(ctx, set.ID, 0, 384, vectors); err != nil {
		return err
	}
	_, err := l.db.FinishVectors(ctx, set.ID)
	return err
}

// vector appends one between two real ones, moved along the difference of two
// others.
func (l *loader) vector(dst []float32) []float32 {
	pick := func() []float32 { return l.real[l.r.IntN(len(l.real))] }
	a, b, c, d := pick(), pick(), pick(), pick()
	u, w := 0.5*l.r.Float32(), 0.5*l.r.Float32()-0.25
	from, sum := len(dst), 0.0
	for i := range a {
		v := a[i] + u*(b[i]-a[i]) + w*(c[i]-d[i])
		sum += float64(v) * float64(v)
		dst = append(dst, v)
	}
	norm := float32(math.Sqrt(sum))
	for i := range dst[from:] {
		dst[from+i] /= norm
	}
	return dst
}
