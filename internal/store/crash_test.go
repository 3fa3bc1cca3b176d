package store_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portico/internal/access"
	"portico/internal/model"
	"portico/internal/store"
)

const crashVariable = "PORTICO_TEST_CRASH"

// TestCrash kills a writing process again and again, without a warning, and
// finds all that it had acknowledged, and nothing by halves.
func TestCrash(t *testing.T) {
	if path := os.Getenv(crashVariable); path != "" {
		writeUntilKilled(t, path)
		return
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "portico.db")
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	var acknowledged []string
	for round := range 30 {
		ids, err := killWriter(path, time.Duration(random.IntN(40))*time.Millisecond)
		if err != nil {
			t.Fatalf("seed %d, round %d: %v", seed, round, err)
		}
		acknowledged = append(acknowledged, ids...)
	}
	db := open(t, fileURL(path), store.Options{})
	for _, id := range acknowledged {
		if _, err := db.ModelByID(t.Context(), id); err != nil {
			t.Errorf("seed %d: lost %s: %v", seed, id, err)
		}
	}
	models, err := db.Models(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	grants, err := db.AllGrants(t.Context(), access.Model)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range models { // written in one transaction
		if len(grants[m.ID]) != 3 {
			t.Errorf("seed %d: %s has %d grants", seed, m.ID, len(grants[m.ID]))
		}
	}
	if len(grants) != len(models) || len(acknowledged) < 30 {
		t.Errorf("seed %d: %d acknowledged, %d models, %d with grants", seed, len(acknowledged), len(models), len(grants))
	}
	var verdict string
	if err := db.Writer().QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("seed %d: %s, %v", seed, verdict, err)
	}
	t.Logf("%d rows acknowledged over 30 kills", len(acknowledged))
}

// killWriter runs a writer and kills it some time after its first
// acknowledgement. It gives the ids that were acknowledged.
func killWriter(path string, after time.Duration) ([]string, error) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrash$")
	cmd.Env = append(os.Environ(), crashVariable+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var ids []string
	var said strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		id, ok := strings.CutPrefix(lines.Text(), "written ")
		if !ok || !strings.HasSuffix(id, ".") {
			continue // a line cut short was not said
		}
		if ids = append(ids, strings.TrimSuffix(id, ".")); len(ids) == 1 {
			time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); err == nil || len(ids) == 0 {
		return nil, fmt.Errorf("the writer ended by itself: %v: %s", err, said.String())
	}
	return ids, nil
}

func writeUntilKilled(t *testing.T, path string) {
	db := open(t, fileURL(path), store.Options{})
	grants := []access.Grant{
		{PrincipalType: "user", PrincipalID: "*", Permission: "read"},
		{PrincipalType: "group", PrincipalID: "g", Permission: "read"},
		{PrincipalType: "group", PrincipalID: "g", Permission: "write"},
	}
	deadline := time.Now().Add(20 * time.Second)
	for i := 0; time.Now().Before(deadline); i++ {
		id := fmt.Sprintf("%d-%d", os.Getpid(), i)
		if err := db.CreateModel(t.Context(), &model.Row{ID: id, Name: strings.Repeat("x", i%5000)}, grants); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("written %s.\n", id)
	}
}
