package store_test

import (
	"strings"
	"testing"

	"portico/internal/file"
	"portico/internal/store"
)

// TestFilePagePlans: pages and counts of files are read from an index alone,
// and no more rows than a page has are looked at or sorted.
func TestFilePagePlans(t *testing.T) {
	t.Parallel()
	db := open(t, engines[0].url(t), store.Options{})
	for _, c := range []struct {
		filter file.Filter
		index  string
	}{
		{file.Filter{UserID: "u"}, "files_user"},
		{file.Filter{}, "files_created"},
	} {
		for name, text := range map[string]string{
			"page": store.FilePage(c.filter, false), "far page": store.FilePage(c.filter, true), "count": store.CountFiles(c.filter),
		} {
			plan := explain(t, db, text)
			if !strings.Contains(plan, "COVERING INDEX "+c.index) || strings.Contains(plan, "SCAN files") {
				t.Errorf("%s of %+v:\n%s", name, c.filter, plan)
			}
			if page, _, _ := strings.Cut(plan, "SCAN page"); strings.Contains(page, "TEMP B-TREE") {
				t.Errorf("%s of %+v sorts all of them:\n%s", name, c.filter, plan)
			}
		}
	}
	if plan := explain(t, db, store.CountFilesOf); !strings.Contains(plan, "COVERING INDEX files_quota") {
		t.Errorf("the quota:\n%s", plan)
	}
}

func explain(t *testing.T, db *store.DB, text string) string {
	t.Helper()
	rows, err := db.Writer().QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, 50, 0, "u")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(detail + "\n")
	}
	return plan.String()
}
